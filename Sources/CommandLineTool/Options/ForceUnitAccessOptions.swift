import ArgumentParser
import BlockDevice

/// Whether a command that has the bit (NVM Command Set, FUA) is to go past caches.
struct ForceUnitAccessOptions: ParsableArguments {
  @Flag(
    name: [.customShort("f"), .customLong("force-unit-access")],
    help: "Go to the media, past caches")
  var isGiven = false

  var blockOptions: BlockOptions { isGiven ? .forceUnitAccess : [] }
}
