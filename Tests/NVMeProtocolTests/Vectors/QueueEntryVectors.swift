extension Vector {
  static let readEntry = Vector(
    "Read: NVMe Base 2.1 figure 92; NVM Command Set 1.1 section 3.3.4", byteCount: 64,
    [
      (0, "02 40 34 12"),  // opcode 02h, PSDT 01b, CID 1234h
      (4, "01 00 00 00"),  // NSID 1
      (24, "00 00 00 00 00 00 00 00 00 10 00 00 00 00 00 5a"),  // transport data block, 4,096 bytes
      (40, "88 77 66 55 44 33 22 11"),  // SLBA
      (48, "07 00 00 40"),  // NLB 7 (8 blocks), FUA
    ])

  static let connectEntry = Vector(
    "Connect: NVMe Base 2.1 section 6.3, figure 545", byteCount: 64,
    [
      (0, "7f 40 00 00"),
      (4, "01"),  // FCTYPE Connect
      (24, "00 00 00 00 00 00 00 00 00 04 00 00 00 00 00 01"),  // in capsule, 1,024 bytes
      (40, "00 00"),  // RECFMT
      (42, "03 00"),  // QID 3
      (44, "7f 00"),  // SQSIZE: 128 entries
      (46, "04"),  // CATTR: no SQ flow control
      (48, "10 27 00 00"),  // KATO 10,000 ms
    ])

  static let propertySetEntry = Vector(
    "Property Set of CC: NVMe Base 2.1 section 6.6", byteCount: 64,
    [(0, "7f 40 00 00"), (40, "00"), (44, "14 00 00 00"), (48, "01 00 46 00 00 00 00 00")])

  static let propertyGetEntry = Vector(
    "Property Get of CAP: NVMe Base 2.1 section 6.5", byteCount: 64, [(0, "7f 40 00 00"), (4, "04"), (40, "01")])

  static let getLogPageEntry = Vector(
    "Get Log Page: NVMe Base 2.1 section 5.1.12, figures 197 to 201", byteCount: 64,
    [
      (0, "02 40 00 00"),
      (4, "ff ff ff ff"),
      (40, "0c 81 ff ff"),  // LID 0Ch, LSP 01h, RAE, NUMDL FFFFh
      (44, "01 00 00 00"),  // NUMDU 1: 1FFFFh + 1 dwords = 512 KiB
      (48, "00 10 00 00 01 00 00 00"),  // LPO 1_00001000h
    ])

  static let deallocateEntry = Vector(
    "Dataset Management: NVM Command Set 1.1 section 3.3.3", byteCount: 64,
    [(0, "09 40 00 00"), (4, "02 00 00 00"), (40, "ff 00 00 00"), (44, "04 00 00 00")])

  static let completionEntry = Vector(
    "Completion queue entry: NVMe Base 2.1 figures 96 to 100", byteCount: 16,
    [
      (0, "78 56 34 12 f0 de bc 9a"),
      (8, "05 00"),  // SQHD
      (10, "02 00"),  // SQID
      (12, "cd ab"),  // CID
      (14, "06 c6"),  // phase 0, SC 03h, SCT 3h, CRD 0, More, DNR: 0110 0011 0000 0011b << 1
    ])

  static let datasetManagementRanges = Vector(
    "Dataset Management ranges: NVM Command Set 1.1", byteCount: 32,
    [(4, "08 00 00 00"), (8, "00 01 00 00 00 00 00 00"), (16, "11 00 00 00 00 00 01 00 ff ff ff ff 01 00 00 00")])
}
