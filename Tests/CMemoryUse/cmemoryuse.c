#include "CMemoryUse.h"
