/// NBD_INFO_*, what NBD_OPT_INFO and NBD_OPT_GO are asked for and answer.
public enum NBDInformation: UInt16, Sendable {
  case export = 0
  case name = 1
  case description = 2
  case blockSize = 3
}
