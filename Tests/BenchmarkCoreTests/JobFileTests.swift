import Testing

@testable import BenchmarkCore

@Suite struct JobFileTests {
  private let text = """
    ; a comment
    [global]
    # another
    rw=randread
    size = 64m
    time_based
    runtime=${SECONDS_TO_RUN}

    [first]
    iodepth=4
    [second]
    stonewall
    rw=randwrite
    description=${jobname} of ${NOBODY}x
    """

  @Test(arguments: ["\n", "\r\n"]) func sectionsAndGlobals(lineEnd: String) throws {
    let file = text.replacing("\n", with: lineEnd)
    let result = try plan(["a.fio"], files: ["a.fio": file], environment: ["SECONDS_TO_RUN": "7"])
    #expect(result.jobs.map(\.name) == ["first", "second"])
    #expect(result.jobs[0].pattern == .randread)
    #expect(result.jobs[0].depth == 4)
    #expect(result.jobs[0].runtime == 7_000_000_000)
    #expect(result.jobs[0].isTimeBased)
    #expect(result.jobs[0].size == .bytes(64 << 20))
    #expect(result.jobs[1].pattern == .randwrite)
    #expect(result.jobs[1].description == "second of x")
    #expect(result.groupIdentifiers == [0, 1])
    #expect(result.globalOptions.map(\.name) == ["rw", "size", "time_based", "runtime"])
    #expect(result.jobs[0].given.map(\.name) == ["iodepth"])
  }

  @Test func commentsBehindOptions() throws {
    let file = """
      [a] ; one
      rw=write ; two
      bs=8k#three
      time_based # four
      runtime=1;
      buffer_pattern="a#b;c" # five
      """
    let job = try #require(try plan(["f"], files: ["f": file]).jobs.first)
    #expect(job.name == "a")
    #expect(job.pattern == .write)
    #expect(job.blockSizes.write == .fixed(8192))
    #expect(job.isTimeBased && job.runtime == 1_000_000_000)
    #expect(job.bufferPattern == bytes("a#b;c"))
  }

  @Test func severalGlobalsAddUp() throws {
    let file = "[global]\nbs=8k\n[a]\n[global]\niodepth=2\n[b]\n"
    let result = try plan(["f"], files: ["f": file])
    #expect(result.jobs.map(\.depth) == [1, 2])
    #expect(result.jobs.map(\.blockSizes.read) == [.fixed(8192), .fixed(8192)])
  }

  @Test func errorsNameFileAndLine() throws {
    let error = #expect(throws: OptionError.self) {
      try plan(["dir/f.fio"], files: ["dir/f.fio": "[a]\n\nrw=read\niodpeth=4\n"])
    }
    #expect(try #require(error).location == .file(path: "dir/f.fio", line: 4))
    #expect("\(try #require(error))" == "dir/f.fio:4: unknown option 'iodpeth'; did you mean 'iodepth'?")
  }

  @Test(arguments: ["rw=read\n", "[a\n", "[]\n", "[a]\nhello world=1\n", "[a]\n=1\n"])
  func malformed(_ text: String) throws {
    let error = #expect(throws: OptionError.self) { try plan(["f"], files: ["f": text]) }
    guard case .malformedLine = try #require(error).reason else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func includes() throws {
    let files = ["d/main.fio": "[a]\ninclude part.fio\niodepth=3\n", "d/part.fio": "bs=8k\r\n"]
    let result = try plan(["d/main.fio"], files: files)
    #expect(result.jobs[0].blockSizes.read == .fixed(8192))
    #expect(result.jobs[0].depth == 3)
  }

  @Test func includeLoopsEnd() throws {
    #expect(throws: OptionError.self) { try plan(["f"], files: ["f": "[a]\ninclude f2\n", "f2": "include f2\n"]) }
  }

  @Test func missingFile() throws {
    let error = #expect(throws: OptionError.self) { try plan(["nowhere.fio"]) }
    #expect("\(try #require(error))".contains("nowhere.fio"))
  }

  @Test func onlyOneSection() throws {
    let result = try plan(["--section=b", "f"], files: ["f": "[a]\n[b]\n[c]\n"])
    #expect(result.jobs.map(\.name) == ["b"])
  }

  @Test func commandLineBeforeNamesOverridesFiles() throws {
    let result = try plan(
      ["--runtime=1", "--filename=null:1g", "f", "--name=own", "--runtime=9"], files: ["f": "[a]\nruntime=5\n"])
    #expect(result.jobs.map(\.runtime) == [1_000_000_000, 9_000_000_000])
    #expect(result.jobs.map(\.target) == ["null:1g", "null:1g"])
    // What is told of the jobs is what holds for them.
    #expect(result.globalOptions.map(\.name) == ["runtime", "filename"])
    #expect(result.globalOptions.map(\.value) == ["1", "null:1g"])
    #expect(result.jobs.map { $0.given.map(\.name) } == [[], ["runtime"]])
    #expect(
      HelpText.commandLine(result)
        == "nvmeof-bench --name=a --runtime=1 --filename=null:1g\n"
        + "nvmeof-bench --name=own --filename=null:1g --runtime=9\n")
  }

  /// A [global] section holds for the jobs behind it, and for those of its file.
  @Test func globalsAreToldOfTheJobsThatTheyHoldFor() throws {
    let result = try plan(
      ["f", "g"],
      files: ["f": "[global]\nrw=read\nbs=8k\n[a]\n", "g": "[global]\nrw=read\n[b]\n[global]\niodepth=2\n[c]\nbs=4k\n"])
    #expect(result.globalOptions.map(\.name) == ["rw"])
    #expect(
      HelpText.commandLine(result) == """
        nvmeof-bench --name=a --rw=read --bs=8k
        nvmeof-bench --name=b --rw=read
        nvmeof-bench --name=c --rw=read --iodepth=2 --bs=4k

        """)
  }

  @Test func keywords() throws {
    let page = try plan(["f"], files: ["f": "[a]\nbs=$pagesize\nsize=8*$pagesize\n"]).jobs[0]
    #expect(page.blockSizes.read.smallest.isMultiple(of: 4096))
    #expect(page.size == .bytes(8 * UInt64(page.blockSizes.read.smallest)))
  }

  @Test func kilobyteBaseHoldsForTheWholeSection() throws {
    let result = try plan(["f"], files: ["f": "[a]\nsize=4k\nkb_base=1000\n[b]\nsize=4k\n"])
    #expect(result.jobs.map(\.size) == [.bytes(4000), .bytes(4096)])
  }

  @Test func theShippedJobFileIsValid() throws {
    var folder = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    folder = "/" + folder
    let path = folder + "/Benchmarks/bench.fio"
    let text = try FileText.load(path)
    let result = try plan([path], files: [path: text])
    #expect(result.jobs.count == 6)
    #expect(result.groupIdentifiers == [0, 1, 2, 3, 4, 5])
  }
}
