/// What is done about a command that is not answered in time.
public enum CommandTimeoutAction: String, Sendable, Hashable, CaseIterable {
  /// Nothing: it is waited for. (The steps of making an association have their deadlines all the same.)
  case none
  /// The controller is asked to abort an I/O command; when that is of no avail for the same time again, and for an admin
  /// command, the controller is reset.
  case abort
  /// The controller is reset.
  case reset
}
