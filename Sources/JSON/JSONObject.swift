/// The members of a JSON object, in their order.
///
/// What was parsed may name a key twice, as JSON allows; ``duplicateKey`` tells, and who is strict refuses it.
public struct JSONObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
  public struct Member: Sendable, Hashable {
    public var key: String
    public var value: JSONValue

    public init(key: String, value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  public private(set) var members: [Member]

  public init() { members = [] }

  init(members: [Member]) { self.members = members }

  /// Keys in the order written; to write one twice is a mistake of the program.
  public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(literal: elements) }

  init(literal elements: [(String, JSONValue)]) {
    self.init(elements)
    assert(duplicateKey == nil, "an object with two members of one name")
  }

  /// Members as they come; who gives a key twice has it twice.
  public init(_ elements: some Sequence<(String, JSONValue)>) {
    members = elements.map { Member(key: $0, value: $1) }
  }

  public var count: Int { members.count }
  public var isEmpty: Bool { members.isEmpty }

  /// The first member of that name. Setting replaces it or adds one at the end; setting nil removes all of that name.
  public subscript(key: String) -> JSONValue? {
    get { members.first { $0.key == key }?.value }
    set {
      guard let newValue else {
        members.removeAll { $0.key == key }
        return
      }
      if let index = members.firstIndex(where: { $0.key == key }) {
        members[index].value = newValue
      } else {
        members.append(Member(key: key, value: newValue))
      }
    }
  }

  /// Sets the members that another object has.
  public mutating func merge(_ other: JSONObject) {
    for member in other.members { self[member.key] = member.value }
  }

  /// A key that two members have; nil when there is none.
  public var duplicateKey: String? {
    var seen = Set<String>(minimumCapacity: members.count)
    return members.first { !seen.insert($0.key).inserted }?.key
  }
}
