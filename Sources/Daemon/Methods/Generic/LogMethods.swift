public import JSONRPC

extension LogLevel: RPCEnumeration {
  /// In any letter case: agents write "debug".
  public init(parameter: JSONValue) throws(RPCParameterError) {
    let word = try String(parameter: parameter)
    guard let level = Self(word: word) else {
      throw RPCParameterError(path: "", rule: "is '\(word)', must be ERROR, WARNING, NOTICE, INFO or DEBUG")
    }
    self = level
  }
}

/// Methods about the log.
enum LogMethods {
  static func all(_ service: Service) -> [RPCMethod] {
    let log = service.log
    return [
      RPCMethod("log_get_level", phase: .both) { .string(log.systemLevel.rawValue) },
      RPCMethod("log_get_print_level", phase: .both) { .string(log.printLevel.rawValue) },
      RPCMethod("log_set_level", phase: .both, decode: level) { level in
        log.systemLevel = level
        return true
      },
      RPCMethod("log_set_print_level", phase: .both, decode: level) { level in
        log.printLevel = level
        return true
      },
      RPCMethod("log_get_flags", phase: .both) {
        var flags = JSONObject()
        for flag in LogFlag.allCases { flags[flag.rawValue] = .bool(log.isSet(flag)) }
        return .object(flags)
      },
      RPCMethod("log_set_flag", phase: .both, decode: flag) { word throws(RPCError) in
        for flag in try flags(word) { log.set(flag, true) }
        return true
      },
      RPCMethod("log_clear_flag", phase: .both, decode: flag) { word throws(RPCError) in
        for flag in try flags(word) { log.set(flag, false) }
        return true
      },
      RPCMethod(
        "log_enable_timestamps", phase: .both, undecodable: .invalidParameters("spdk_json_decode_object failed"),
        decode: { parameters throws(RPCParameterError) in try parameters.required("enabled", as: Bool.self) },
        body: { isOn in
          log.hasTimestamps = isOn
          return true
        }),
    ]
  }

  @Sendable private static func level(_ parameters: inout RPCParameters) throws(RPCParameterError) -> LogLevel {
    try parameters.required("level")
  }

  @Sendable private static func flag(_ parameters: inout RPCParameters) throws(RPCParameterError) -> String {
    try parameters.required("flag")
  }

  private static func flags(_ word: String) throws(RPCError) -> [LogFlag] {
    if word == "all" { return LogFlag.allCases }
    guard let flag = LogFlag(rawValue: word) else { throw .invalidParameters("invalid log flag") }
    return [flag]
  }
}
