// The target, the pattern, sizes and places.
extension OptionCatalogue {
  static var targetOptions: [OptionDefinition] {
    [
      value("name", .target, "str", "name of the job; on the command line it also starts a new job") {
        options, text, _ throws(OptionValueError) in
        options.name = String(text.trimmedSpaces)
      },
      value("description", .target, "str", "text that reports repeat") { options, text, _ throws(OptionValueError) in
        options.description = String(text)
      },
      value(
        "filename target uri", .target, "target",
        "nvme+tcp://host:4420/NQN?nsid=1, a transport id (\"trtype:TCP traddr:… subnqn:…\"), a file's path,\n"
          + "memory:SIZE or embedded:SIZE; without it an embedded target is started in this process"
      ) { options, text, _ throws(OptionValueError) in
        options.target = String(text.trimmedSpaces)
      },
      value("ioengine", .target, "poll|async", "face of the block device; names of fio's engines mean poll") {
        options, text, _ throws(OptionValueError) in
        let name = text.trimmedSpaces.lowercased()
        if let engine = IOEngine(rawValue: name) {
          options.engine = engine
        } else if fioEngines.contains(name) {
          options.engine = .poll
        } else {
          throw OptionValueError("poll or async (or the name of one of fio's engines, which means poll)")
        }
      },
      choice(
        "wait_mode", .target,
        "spin where that is cheaper, always sleep, or never [adaptive]; before a planned start (rate) adaptive\n"
          + "spins for at most 20 µs, event not at all: it starts I/Os late by the time of waking up",
        \.waitStyle),
      flag("hipri", .target, "the same as wait_mode=busy") { options, isOn in
        if isOn { options.waitStyle = .busy } else if options.waitStyle == .busy { options.waitStyle = .adaptive }
      },
    ]
  }

  /// Engines of fio whose job files make sense here.
  static let fioEngines: Set<String> = [
    "libaio", "io_uring", "io_uring_cmd", "sync", "psync", "vsync", "pvsync", "pvsync2", "posixaio", "spdk", "xnvme",
    "libblkio",
  ]

  private static let patterns =
    "read, write, trim, randread, randwrite, randtrim, rw (readwrite), randrw, trimwrite or randtrimwrite"

  static var accessOptions: [OptionDefinition] {
    [
      value(
        "rw readwrite", .access, "pattern",
        "\(patterns);\n"
          + "trimwrite trims each block, then writes it; \":N\" after a random pattern is how many I/Os share one place,\n"
          + "after a sequential one how many bytes are skipped"
      ) { options, text, context throws(OptionValueError) in
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let word = parts[0].trimmedSpaces.lowercased()
        guard let pattern = IOPattern(rawValue: word == "readwrite" ? "rw" : word) else {
          throw OptionValueError(patterns)
        }
        options.pattern = pattern
        options.accessesPerOffset = 1
        options.sequentialGap = 0
        guard parts.count == 2 else { return }
        let modifier = try ValueParser.size(parts[1], context)
        if pattern.isRandom {
          guard modifier > 0 else { throw OptionValueError("a number from 1 after the pattern's ':'") }
          options.accessesPerOffset = modifier
        } else {
          options.sequentialGap = modifier
        }
      },
      value("rw_sequencer", .access, "sequential|identical", "what the I/Os of rw=…:N at one place do") {
        options, text, _ throws(OptionValueError) in
        switch text.trimmedSpaces.lowercased() {
        case "sequential": options.repeatsOffset = false
        case "identical": options.repeatsOffset = true
        default: throw OptionValueError("sequential or identical")
        }
      },
      value("rwmixread", .access, "percent", "share of reads in a mixed pattern [50]") {
        options, text, _ throws(OptionValueError) in
        options.readMixPercent = try ValueParser.percent(text)
      },
      value("rwmixwrite", .access, "percent", "share of writes in a mixed pattern [50]") {
        options, text, _ throws(OptionValueError) in
        options.readMixPercent = 100 - (try ValueParser.percent(text))
      },
      number("randseed", .access, "int", "seed of the random numbers: the same seed, the same I/Os", \.optionalSeed),
      flag("randrepeat allrandrepeat", .access, "without a seed: the same I/Os in every run [1]") {
        $0.randomRepeats = $1
      },
      flag("norandommap", .access, "random offsets may repeat before all blocks have had their turn") {
        $0.noRandomMap = $1
      },
      value(
        "random_distribution", .access, "dist",
        "random, zipf:θ[:center], pareto:h[:center], normal:deviation[:center] or zoned:access/size:…"
      ) { options, text, _ throws(OptionValueError) in
        options.distribution = try RandomDistribution.parse(text)
      },
      value("percentage_random", .access, "percent[,percent][,percent]", "share of a random pattern that is random") {
        options, text, _ throws(OptionValueError) in
        options.randomPercent = try ValueParser.perDirection(text, default: PerDirection(all: 100)) {
          part throws(OptionValueError) in try ValueParser.percent(part)
        }
      },
    ]
  }

  static var sizeOptions: [OptionDefinition] {
    [
      value("bs blocksize", .size, "size[,size][,size]", "block size for reads, writes, trims [4k]") {
        options, text, context throws(OptionValueError) in
        options.blockSizes = try ValueParser.perDirection(text, default: PerDirection(all: .fixed(4096))) {
          part throws(OptionValueError) in try BlockSizeMix.parseFixed(part, context)
        }
      },
      value("bsrange blocksize_range", .size, "min-max[,…]", "block sizes drawn from a range") {
        options, text, context throws(OptionValueError) in
        options.blockSizes = try ValueParser.perDirection(text, default: options.blockSizes) {
          part throws(OptionValueError) in try BlockSizeMix.parseRange(part, context)
        }
      },
      value("bssplit", .size, "size/percent:…[,…]", "block sizes by share, such as 4k/60:64k/40") {
        options, text, context throws(OptionValueError) in
        options.blockSizes = try ValueParser.perDirection(text, default: options.blockSizes) {
          part throws(OptionValueError) in try BlockSizeMix.parseSplit(part, context)
        }
      },
      value("blockalign ba", .size, "size[,size][,size]", "alignment of random offsets [the block size]") {
        options, text, context throws(OptionValueError) in
        options.blockAlignment = try ValueParser.perDirection(text, default: PerDirection(all: nil)) {
          part throws(OptionValueError) in try ValueParser.size32(part, context, in: BlockSizeMix.allowedBytes)
        }
      },
      value("size filesize", .size, "size|percent%", "region to access [the whole device]") {
        options, text, context throws(OptionValueError) in
        options.size = try ValueParser.sizeOrPercent(text, context)
      },
      value("io_size io_limit", .size, "size|percent%", "bytes to transfer; 0: once the region [0]") {
        options, text, context throws(OptionValueError) in
        let amount = try ValueParser.sizeOrPercent(text, context)
        options.ioSize = amount == .bytes(0) || amount == .percent(0) ? nil : amount
      },
      value("offset", .size, "size|percent%", "start of the region [0]") {
        options, text, context throws(OptionValueError) in
        options.offset = try ValueParser.sizeOrPercent(text, context)
      },
      number("offset_align", .size, "size", "alignment of an offset given in percent", \.offsetAlignment),
      value("offset_increment", .size, "size|percent%", "added to the offset for each further clone of numjobs") {
        options, text, context throws(OptionValueError) in
        options.offsetIncrement = try ValueParser.sizeOrPercent(text, context)
      },
      number("number_ios", .size, "int", "end after so many I/Os", \.numberOfIOs),
      number("loops", .size, "int", "how often to go over the region [1]", \.loops),
    ]
  }
}

extension JobOptions {
  /// `randomSeed` for tables that want a number.
  var optionalSeed: UInt64 {
    get { randomSeed ?? 0 }
    set { randomSeed = newValue }
  }

  var optionalRuntime: UInt64 {
    get { runtime ?? 0 }
    set { runtime = newValue == 0 ? nil : newValue }
  }

  var optionalMaximumLatency: UInt64 {
    get { maximumLatency ?? 0 }
    set { maximumLatency = newValue == 0 ? nil : newValue }
  }
}
