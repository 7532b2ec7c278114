/// What can be asked of a controller that is attached.
package enum ControllerOperation: Sendable {
  case reset
  case enable
  case disable
}
