extension Vector {
  static let identifyNamespace = Vector(
    "Identify Namespace: NVM Command Set 1.1", byteCount: 4096,
    [
      (0, "00 00 20 00 00 00 00 00"),  // NSZE 2,097,152
      (8, "00 00 10 00 00 00 00 00"),  // NCAP
      (16, "00 00 08 00 00 00 00 00"),  // NUSE
      (24, "11 01 01 01 02 03 01 04 80 09"),  // NSFEAT NLBAF FLBAS MC DPC DPS NMIC RESCAP FPI DLFEAT
      (34, "07 00 06 00 05 00 04 00 03 00 02 00"),  // NAWUN NAWUPF NACWU NABSN NABO NABSPF
      (46, "00 01"),  // NOIOB 256
      (48, "00 00 00 40 00 00 00 00 00 00 00 00 00 00 00 00"),  // NVMCAP 1 GiB
      (64, "07 00 08 00 09 00 0a 00 0b 00"),  // NPWG NPWA NPDG NPDA NOWS
      (74, "0c 00 0d 00 00 00 0e 0f 10"),  // MSSRL MCL MSRC KPIOS NULBAF
      (92, "02 00 00 00"),  // ANAGRPID
      (99, "01 21 00 22 00"),  // NSATTR NVMSETID ENDGID
      (104, "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f"),  // NGUID
      (120, "a4 b3 c2 00 00 00 00 01"),  // EUI64
      (128, "00 00 09 02"),  // LBAF0: 512, good
      (132, "08 00 0c 00"),  // LBAF1: 4,096 + 8
    ])

  static let activeNamespaceList = Vector(
    "Active Namespace ID list: NVMe Base 2.1 section 5.1.13.2.2", byteCount: 4096,
    [(0, "01 00 00 00 02 00 00 00 00 01 00 00 fe ff ff ff")])

  static let namespaceDescriptors = Vector(
    "Namespace Identification Descriptor list: NVMe Base 2.1 figure 315", byteCount: 4096,
    [
      (0, "01 08 00 00 a4 b3 c2 00 00 00 00 01"),
      (12, "02 10 00 00 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f"),
      (32, "03 10 00 00 12 34 56 78 9a bc 4d ef 81 23 45 67 89 ab cd ef"),
      (52, "04 01 00 00 02"),
    ])

  static let nvmCommandSetNamespace = Vector(
    "NVM Command Set Identify Namespace: NVM Command Set 1.1", byteCount: 4096,
    [
      (0, "ff ff 00 00 00 00 00 80 01 02"),  // LBSTM, PIC, PIFA
      (12, "10 00 00 00 a0 00 00 00"),  // ELBAF0, ELBAF1
      (264, "01 01 00 00"),  // ELBAF63
      (268, "01 00 00 00 02 00 00 00 03 00 00 00 04 00 00 00 05 00 00 00"),  // NPDGL NPRG NPRA NORS NPDAL
    ])

  static let nvmCommandSetController = Vector(
    "NVM Command Set Identify Controller: NVM Command Set 1.1", byteCount: 4096,
    [
      (0, "05 06 07 10"),  // VSL WZSL WUSL DMRL
      (4, "00 00 10 00 00 00 00 00 01 00 00 00"),  // DMRSL, DMSL 2^32
      (17, "08 01 00 00 01 01 00"),  // WZDSL, AOCS, VER 1.1
    ])

  static let independentNamespace = Vector(
    "I/O Command Set Independent Identify Namespace: NVMe Base 2.1 figure 319", byteCount: 4096,
    [(0, "10 01 ff 80 05 00 00 00 01"), (10, "03 00 04 00 01 02 07 00"), (20, "09 00 00 00")])
}
