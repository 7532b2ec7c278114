internal import JSONRPC

/// Methods about what has happened to devices.
enum NotificationMethods {
  static func all(_ service: Service) -> [RPCMethod] {
    struct Request: Sendable { var first: UInt64, maximumCount: UInt64 }
    return [
      RPCMethod("notify_get_types", undecodable: .invalidParameters("No parameters required")) {
        .array(Notifications.Kind.allCases.map { .string($0.rawValue) })
      },
      RPCMethod(
        "notify_get_notifications", undecodable: .invalidParameters("Invalid argument"),
        decode: { parameters throws(RPCParameterError) in
          Request(
            first: try parameters.optional("id", default: 0),
            maximumCount: try parameters.optional("max", default: .max)
          )
        },
        body: { request in
          .array(
            service.notifications.events(from: request.first, maximumCount: request.maximumCount).map { event in
              [
                "type": .string(event.kind.rawValue), "ctx": .string(event.context), "id": .integer(event.number),
              ]
            })
        }),
    ]
  }
}
