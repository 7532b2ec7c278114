internal import CLiburing

/// The pages of memory that the program itself is in.
public enum ProgramPages {
  /// Unmaps the pages that hold code, of the program and of its libraries: for a process that has started and will run for
  /// long. The kernel maps what is run again, at one minor fault each 64 KiB; what only the start needed (reading
  /// arguments and configuration, setting up) no longer counts as resident. Any thread may call it, at any time. What a
  /// debugger or a probe has written into the code before (breakpoints) is lost.
  public static func release() { nvmeof_release_code_pages() }
}
