import Glibc

/// The entry point: signals are blocked before there is a second thread.
@main
enum Main {
  static func main() async {
    Signals.block()
    await DaemonCommand.main()
  }
}
