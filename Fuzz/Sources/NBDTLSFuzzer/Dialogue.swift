/// An honest client's TLS with a server, and what it has to be answered.
final class Dialogue {
  private let world: ServerWorld
  private let client: HonestClient
  private let reference: Reference
  private var damage: Damage?
  private var answers: [UInt8] = []
  /// Damage in the handshake that nobody minds (TLS 1.3 has headers that count for nothing) is none.
  private var isDamageBenign = false
  /// All that has been said has to be answered.
  private var isComplete = true

  init(world: ServerWorld, client: HonestClient, reference: Reference, damage: Damage?) {
    self.world = world
    self.client = client
    self.reference = reference
    self.damage = damage
  }

  func handshakeEnded(mayFail: Bool) {
    if mayFail {
      isComplete = false
      isDamageBenign = client.isOpen && damage?.hasHappened == true
    } else {
      check(client.isOpen, "a handshake as it should be fails")
      check(!world.isClosed, "a handshake as it should be is not liked")
    }
  }

  /// Carries ciphertext both ways until there is none left.
  func exchange() {
    while true {
      let output = client.takeOutput()
      if !output.isEmpty { carry(output) }
      world.settle()
      let input = world.takeCiphertext()
      answers += client.receive(input)
      if output.isEmpty && input.isEmpty { return }
    }
  }

  /// Returns whether what it was made of may be answered.
  @discardableResult
  private func carry(_ ciphertext: [UInt8]) -> Bool {
    let hadHappened = damage?.hasHappened == true
    let (bytes, isWhole) = damage?.apply(ciphertext) ?? (ciphertext, true)
    world.socket.send(bytes)
    return isWhole && (!hadHappened || isDamageBenign)
  }

  /// Says as much as fits a record.
  func say(_ plaintext: [UInt8]) {
    guard client.send(plaintext) else {
      isComplete = false
      return
    }
    if carry(client.takeOutput()) { reference.receive(plaintext) } else { isComplete = false }
  }

  func pass(seconds: Int) {
    isComplete = false
    world.pass(seconds: seconds)
  }

  func endSending() {
    // The server does not owe anything to who has gone.
    isComplete = false
    client.endSending()
    carry(client.takeOutput())
  }

  func end() {
    world.socket.isDeaf = false
    exchange()
    let isComplete = isComplete && !reference.hasEnded
    reference.verify(answers, isComplete: isComplete)
    check(!isComplete || !world.isClosed, "the server has gone")
  }
}
