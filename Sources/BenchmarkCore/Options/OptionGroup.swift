/// Headings of `--help`.
public enum OptionGroup: String, CaseIterable, Sendable {
  case target = "Target and engine"
  case paths = "Several paths, and their loss"
  case access = "What to access"
  case size = "Size and place"
  case load = "Depth, jobs and time"
  case rate = "Rate and pauses"
  case verify = "Content and verification"
  case order = "Order of jobs"
  case report = "Statistics and reports"
  case errors = "Errors"
  case accepted = "Accepted for fio's job files, without effect here"
}
