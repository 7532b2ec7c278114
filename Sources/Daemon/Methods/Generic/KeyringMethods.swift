internal import JSONRPC

/// Methods about keys.
enum KeyringMethods {
  static func all(_ service: Service) -> [RPCMethod] {
    let keyring = service.keyring
    let undecodable = RPCError.invalidParameters("Invalid argument")
    struct Addition: Sendable { var name: String, path: String }
    return [
      RPCMethod(
        "keyring_file_add_key", phase: .both, undecodable: undecodable,
        decode: { parameters throws(RPCParameterError) in
          Addition(name: try parameters.required("name"), path: try parameters.required("path"))
        },
        body: { addition async throws(RPCError) in
          try await keyring.add(addition.name, path: addition.path)
          return true
        }),
      RPCMethod(
        "keyring_file_remove_key", phase: .both, undecodable: undecodable,
        decode: { parameters throws(RPCParameterError) in try parameters.required("name", as: String.self) },
        body: { name throws(RPCError) in
          try keyring.remove(name)
          return true
        }),
      RPCMethod("keyring_get_keys") {
        .array(
          keyring.all.map { key in
            [
              "name": .string(key.name), "module": "keyring_file", "removed": false, "probed": true, "refcnt": 0,
              "path": .string(key.path),
            ]
          })
      },
    ]
  }
}
