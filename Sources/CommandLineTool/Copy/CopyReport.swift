import JSON

/// What a copy tells at its end.
struct CopyReport: Sendable {
  var options: CopyOptions
  var source: any CopyEndpoint
  var destination: any CopyEndpoint
  var copied: CopyOutcome
  /// Of the verification, where there was one.
  var verified: CopyOutcome?
  var seconds: Double

  /// The run that ended it.
  private var last: CopyOutcome { verified ?? copied }
  /// Of comparing both ends, behind a copy or in place of one.
  private var comparison: CopyOutcome? { options.mode == .verify ? copied : verified }
  /// All of it has been compared: bad ranges were not.
  private var isVerified: Bool {
    comparison.map { $0.isComplete && $0.badRanges.isEmpty } ?? false && copied.badRanges.isEmpty
  }

  var status: ExitStatus {
    if let failure = last.failure { return ToolError(failure.fault).status }
    if last.wasInterrupted { return .interrupted }
    if verified.map({ !$0.badRanges.isEmpty }) ?? false { return .mismatch }
    if !copied.badRanges.isEmpty {
      return copied.badRanges.allSatisfy { $0.fault.kind == .mismatch } ? .mismatch : .incomplete
    }
    return .success
  }

  /// Lines for people.
  var lines: [String] {
    var lines: [String] = []
    for bad in copied.badRanges + (verified?.badRanges ?? []) { lines.append(line(bad)) }
    if let failure = last.failure { lines.append(failure.fault.description) }
    let verb = options.mode == .verify ? "compared" : "copied"
    let rate = seconds > 0 ? Double(copied.byteCount) / seconds : 0
    var summary =
      "\(copied.byteCount) bytes (\(ByteText.binary(copied.byteCount))) \(verb) in "
      + "\(ByteText.fixed(seconds, 1)) s, \(ByteText.binary(rate < 1e18 ? UInt64(rate) : 0))/s"
    if copied.zeroByteCount > 0 { summary += ", of which \(ByteText.binary(copied.zeroByteCount)) of zeroes not sent" }
    if options.mode == .copy, isVerified {
      summary += "; verified"
      // What has been dropped from a stream cannot be compared any more.
      if options.verifiesEachChunk, options.resumeOffset > 0 { summary += " from byte \(options.resumeOffset) on" }
    }
    lines.append(summary)
    if let resumeLine { lines.append(resumeLine) }
    return lines
  }

  /// How to go on; nil when there is nothing left.
  var resumeLine: String? {
    if let verified, !verified.isComplete {
      // What differs has to be copied anew; what was only not looked at has not.
      return verified.failure?.fault.kind == .mismatch
        ? Self.resumeLine(verified.resumeOffset, destination)
        : "the copy is complete, its verification is not; go on with the same command and --verify-only "
          + "--resume-from \(verified.resumeOffset)"
    }
    if copied.isComplete || copied.failure?.fault.kind == .full { return nil }
    return Self.resumeLine(copied.resumeOffset, destination)
  }

  /// - Returns: nil for a stream: what of it has arrived is not known here, and the same command begins another one.
  static func resumeLine(_ offset: UInt64, _ destination: any CopyEndpoint) -> String? {
    destination.isSequential ? nil : "not complete; go on with the same command and --resume-from \(offset)"
  }

  private func line(_ bad: CopyOutcome.BadRange) -> String {
    let lower = options.sourceOffset + bad.range.lowerBound
    let place = source.place(lower..<lower + UInt64(bad.range.count))
    return
      "bad range: offset \(bad.range.lowerBound), length \(bad.range.count) (\(place) of \(source.name)): \(bad.fault)"
  }

  var json: JSONValue {
    var members: JSONObject = [
      "source": .string(source.name),
      "destination": .string(destination.name),
      "bytes": .integer(copied.byteCount),
      "zero_bytes": .integer(copied.zeroByteCount),
      "seconds": Self.json(seconds: seconds),
      "complete": .bool(last.isComplete && copied.isComplete),
      "interrupted": .bool(last.wasInterrupted),
      "verified": .bool(isVerified),
      "bad_ranges": .array((copied.badRanges + (verified?.badRanges ?? [])).map(json)),
    ]
    if let failure = last.failure { members["error"] = json(failure) }
    members["resume_from"] = resumeLine == nil ? .null : .integer(last.resumeOffset)
    return .object(members)
  }

  /// To the millisecond, and a number with a fraction even where that is zero.
  private static func json(seconds: Double) -> JSONValue {
    JSONNumber(text: String((seconds * 1000).rounded() / 1000)).map { .number($0) } ?? .null
  }

  private func json(_ bad: CopyOutcome.BadRange) -> JSONValue {
    var members: JSONObject = [
      "offset": .integer(bad.range.lowerBound),
      "length": .integer(bad.range.count),
    ]
    for (name, end, base) in [
      ("source", source, options.sourceOffset), ("destination", destination, options.destinationOffset),
    ] where end.alignment > 1 {
      let size = UInt64(end.alignment)
      let count = UInt64(bad.range.count)
      members["\(name)_lba"] = .integer((base + bad.range.lowerBound) / size)
      members["\(name)_blocks"] = .integer((count + size - 1) / size)
    }
    members["error"] = .string(bad.fault.description)
    return .object(members)
  }
}
