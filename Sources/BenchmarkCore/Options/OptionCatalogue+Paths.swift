// Several paths to one target, and what happens when one is lost.
extension OptionCatalogue {
  static var pathOptions: [OptionDefinition] {
    [
      value(
        "paths", .paths, "address[,address]…",
        "further addresses (host:port) of the target's subsystem; I/O goes on over what is left when one is lost"
      ) { options, text, _ throws(OptionValueError) in
        var addresses: [PathAddress] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
          let address = try PathAddress(parsing: part.trimmedSpaces)
          guard !addresses.contains(address) else { throw OptionValueError("each address once, not \(address) twice") }
          addresses.append(address)
        }
        guard addresses.count < 32 else { throw OptionValueError("up to 31 addresses beside the target's own") }
        options.paths.addresses = addresses
      },
      value(
        "path_policy", .paths, PathPolicy.syntax,
        "which path an I/O takes: active_passive (always the same), round_robin[:N] (N I/Os in turn), queue_depth\n"
          + "(the one with the fewest) or latency (the fastest) [active_passive]"
      ) { options, text, _ throws(OptionValueError) in
        options.paths.policy = try PathPolicy.parse(text)
      },
      value(
        "reconnect_delay", .paths, "time",
        "time between attempts to connect a lost path again (seconds without a unit) [2s]; this and the next two,\n"
          + "given without paths, have the one connection made again"
      ) { options, text, _ throws(OptionValueError) in
        options.paths.reconnectDelay = try milliseconds(text)
      },
      value(
        "controller_loss_timeout", .paths, "time|-1",
        "a path is given up when it was lost for so long; -1 never, 0 at once [600s]"
      ) { options, text, _ throws(OptionValueError) in
        options.paths.controllerLossTimeout = text.trimmedSpaces == "-1" ? -1 : try milliseconds(text)
      },
      value(
        "fast_io_fail_timeout", .paths, "time",
        "without a path I/O fails after so long instead of waiting; 0 off [0]"
      ) { options, text, _ throws(OptionValueError) in
        options.paths.fastIOFailTimeout = try milliseconds(text)
      },
      value(
        "unknown_writes", .paths, "wait|resend_risking_corruption",
        "writes that were lost with a path, and may still be executed: sent again once the old path is known to be\n"
          + "quiet (two or three times kato, plus the target's CQT or kato), or at once [wait]"
      ) { options, text, _ throws(OptionValueError) in
        switch text.trimmedSpaces.lowercased() {
        case "wait": options.paths.resendsAtOnce = false
        case "resend_risking_corruption": options.paths.resendsAtOnce = true
        default: throw OptionValueError("wait or resend_risking_corruption")
        }
      },
    ]
  }

  private static func milliseconds(_ text: Substring) throws(OptionValueError) -> Int64 {
    let nanoseconds = try ValueParser.nanoseconds(text, defaultUnit: 1_000_000_000)
    guard nanoseconds % 1_000_000 == 0 else { throw OptionValueError("a time in whole milliseconds") }
    return Int64(nanoseconds / 1_000_000)
  }
}
