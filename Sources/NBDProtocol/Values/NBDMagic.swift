/// The magic numbers that messages begin with.
public enum NBDMagic {
  /// NBDMAGIC, "Newstyle negotiation"
  public static let initial: UInt64 = 0x4e42_444d_4147_4943
  /// IHAVEOPT
  public static let option: UInt64 = 0x4948_4156_454f_5054
  public static let optionReply: UInt64 = 0x0003_e889_0455_65a9
  /// NBD_REQUEST_MAGIC
  public static let request: UInt32 = 0x2560_9513
  /// NBD_SIMPLE_REPLY_MAGIC
  public static let simpleReply: UInt32 = 0x6744_6698
  /// NBD_STRUCTURED_REPLY_MAGIC
  public static let structuredReply: UInt32 = 0x668e_33ef
  /// NBD_EXTENDED_REQUEST_MAGIC
  public static let extendedRequest: UInt32 = 0x21e4_1c71
  /// NBD_EXTENDED_REPLY_MAGIC
  public static let extendedReply: UInt32 = 0x6e8a_278c
}
