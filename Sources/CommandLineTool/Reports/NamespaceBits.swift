/// What the bits of Identify Namespace's fields mean (NVM Command Set 1.1).
enum NamespaceBits {
  static let features: [BitDescription] = [
    .values(
      4...5, [0: "No NPWG, NPWA, NPDG, NPDA and NOWS"].merging([1, 2, 3].map { ($0, "NPWG … NOWS reported") }) { $1 }),
    .bit(3, "NGUID and EUI64 are never reused", unset: "NGUID and EUI64 may be reused"),
    .support(2, "Deallocated or Unwritten Logical Block error"),
    .bit(1, "NAWUN, NAWUPF and NACWU count", unset: "The controller's AWUN, AWUPF and ACWU count"),
    .support(0, "Thin provisioning"),
  ]

  static let formattedSize: [BitDescription] = [
    .number(5...6) { "Upper bits of the format in use: \($0)" },
    .bit(4, "Metadata at the end of each block", unset: "Metadata in a buffer of its own"),
    .number(0...3) { "Format in use: \($0)" },
  ]

  static let metadata: [BitDescription] = [
    .support(1, "Metadata in a buffer of its own"),
    .support(0, "Metadata at the end of each block"),
  ]

  static let protectionCapabilities: [BitDescription] = [
    .support(4, "Protection information as the last bytes of metadata"),
    .support(3, "Protection information as the first bytes of metadata"),
    .support(2, "Protection information type 3"),
    .support(1, "Protection information type 2"),
    .support(0, "Protection information type 1"),
  ]

  static let protectionSettings: [BitDescription] = [
    .bit(3, "Protection information in the first bytes of metadata", unset: "… in the last bytes of metadata"),
    .values(0...2, [0: "Protection information disabled", 1: "Type 1", 2: "Type 2", 3: "Type 3"]),
  ]

  static let reservations: [BitDescription] = [
    .bit(7, "Ignore Existing Key as of NVMe 1.3", unset: "Ignore Existing Key as before NVMe 1.3"),
    .support(6, "Exclusive Access - All Registrants"),
    .support(5, "Write Exclusive - All Registrants"),
    .support(4, "Exclusive Access - Registrants Only"),
    .support(3, "Write Exclusive - Registrants Only"),
    .support(2, "Exclusive Access"),
    .support(1, "Write Exclusive"),
    .support(0, "Persist Through Power Loss"),
  ]

  static let formatProgress: [BitDescription] = [
    .support(7, "Format progress"),
    .number(0...6) { "\($0) % left to format" },
  ]

  static let deallocate: [BitDescription] = [
    .bit(4, "Guard of deallocated blocks is the CRC of what is read", unset: "Guard of deallocated blocks is FFFFh"),
    .support(3, "Deallocate bit of Write Zeroes"),
    .values(
      0...2,
      [
        0: "What deallocated blocks read as is not reported", 1: "Deallocated blocks read as 00h",
        2: "Deallocated blocks read as FFh",
      ]),
  ]
}
