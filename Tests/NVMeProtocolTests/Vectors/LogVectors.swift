extension Vector {
  static let errorInformation = Vector(
    "Error Information log: NVMe Base 2.1 figure 205", byteCount: 128,
    [
      (0, "05 00 00 00 00 00 00 00 01 00 34 12 04 40 28 00"),  // count, SQID, CID, status, PEL
      (16, "00 10 00 00 00 00 00 00 01 00 00 00 00 03 00 02"),  // LBA, NSID, VS, TRTYPE, CSI, OPC
      (32, "11 00 00 00 00 00 00 00 22 00"),  // command specific, transport specific
    ])

  static let smartHealth = Vector(
    "SMART / Health Information log: NVMe Base 2.1 figure 206", byteCount: 512,
    [
      (0, "01 2c 01 64 0a 03 04"),  // warning, 300 K, spare, threshold, used, endurance groups
      (32, "01 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00"),  // data units read: 2^64 + 1
      (48, "02"), (64, "03"), (80, "04"), (96, "05"), (112, "06"), (128, "07"), (144, "08"), (160, "09"),
      (176, "0a"),
      (192, "0b 00 00 00 0c 00 00 00"),
      (200, "2d 01 2e 01 00 00 00 00 00 00 00 00 00 00 34 01"),
      (216, "01 00 00 00 02 00 00 00 03 00 00 00 04 00 00 00"),
    ])

  static let firmwareSlot = Vector(
    "Firmware Slot Information log: NVMe Base 2.1 figure 208", byteCount: 512,
    [(0, "21"), (8, "31 2e 30 20 20 20 20 20 32 2e 30 62 65 74 61 31")])

  static let changedNamespaces = Vector(
    "Changed Attached Namespace List log: NVMe Base 2.1 section 5.1.12.1.5", byteCount: 4096,
    [(0, "03 00 00 00 01 00 00 00")])

  static let commandEffects = Vector(
    "Commands Supported and Effects log: NVMe Base 2.1 figures 209 and 210", byteCount: 4096,
    [(4 * 0x06, "01 00 00 00"), (4 * 0x80, "13 00 02 00"), (1024 + 4 * 0x01, "03 00 00 00"), (1024 + 8, "01 00 08 00")])

  static let supportedLogPages = Vector(
    "Supported Log Pages log: NVMe Base 2.1 figures 203 and 204", byteCount: 1024,
    [(0, "01 00 00 00"), (8, "03 00 00 00"), (4 * 0x70, "01 00 07 00")])

  static let ana = Vector(
    "Asymmetric Namespace Access log: NVMe Base 2.1 figures 223 and 224", byteCount: 16 + 32 + 8 + 32,
    [
      (0, "09 00 00 00 00 00 00 00 02 00"),  // CHGC, NAGD
      (16, "01 00 00 00 02 00 00 00 07 00 00 00 00 00 00 00 01"),  // group 1, two NSIDs, optimized
      (48, "01 00 00 00 05 00 00 00"),
      (56, "02 00 00 00 00 00 00 00 08 00 00 00 00 00 00 00 0f"),  // group 2, none, change
    ])

  static let discoveryHeader = Vector(
    "Discovery log header: NVMe Base 2.1 figure 296", byteCount: 1024, [(0, "08 07 06 05 04 03 02 01 02")])

  static let discoveryEntry = Vector(
    "Discovery log entry: NVMe Base 2.1 figure 294", byteCount: 1024,
    [
      (0, "03 02 02 04"),  // TCP, IPv6, NVM subsystem, SQ flow control can be off
      (4, "01 00 ff ff 80 00 03 00"),  // PORTID, CNTLID, ASQSZ, EFLAGS
      (32, "34 34 32 30 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20"),
      (256, "6e 71 6e 2e 32 30 31 34 2d 30 38 2e 6f 72 67 3a 74"),
      (512, "3a 3a 31" + String(repeating: "20", count: 253)),
      (768, "02"),  // TLS 1.3
    ])
}
