/// `--help` and `--cmdhelp`.
public enum HelpText {
  public static var usage: String {
    var text = """
      nvmeof-bench [options] [job options] <job file(s)>
      Benchmarks an NVMe over Fabrics namespace with fio's options and job files, and reports as fio does.

      Examples
        nvmeof-bench --name=first --rw=randread --bs=4k --iodepth=32 --runtime=5 --time_based
            without --filename: an embedded target in this process
        nvmeof-bench --filename='nvme+tcp://192.0.2.7:4420/nqn.2024-01.example:disk?nsid=1' jobs.fio
            every job of the file on that namespace
        nvmeof-bench --name=check --rw=randwrite --bs=4k --size=1g --verify=crc32c --filename=…
            writes, then reads everything back and checks it
        nvmeof-bench --name=cable --rw=randrw --bs=4k --size=256m --verify=crc32c --verify_backlog=1024 \\
            --runtime=60 --time_based --filename='nvme+tcp://192.0.2.7/NQN?nsid=1&kato=2000' --paths=198.51.100.7
            two paths: pull a cable, and read what it cost on the lines "paths"
        nvmeof-bench --name=limit --rw=randread --bs=4k --iodepth=256 --runtime=60 --time_based --latency_target=500us \\
            --latency_window=1s --latency_percentile=99 --filename=…
            the greatest depth at which 99 % of the I/Os take 500 µs at most
        nvmeof-bench --output-format=json+ --output=result.json jobs.fio

      Options
        --output=FILE             results to a file
        --output-format=LIST      normal, json, json+, terse, summary; several separated by commas
        --minimal, --append-terse the same as --output-format=terse, or terse beside the others
        --eta=auto|always|never   live status line
        --eta-newline=TIME        a new status line each TIME instead of overwriting
        --status-interval=TIME    a whole report each TIME while running
        --section=NAME            only this section of job files; may be repeated
        --readonly                refuse jobs that write
        --parse-only              check options, do nothing
        --showcmd                 print the jobs as command lines
        --cmdhelp[=OPTION]        about one option, or all
        --version, --help

      Exit codes: 0 all well, 1 options or set-up, 2 an I/O or a verification failed, or results cannot be written,
      128 interrupted.

      Job options stand in job files as name=value, on the command line as --name=value. Those before the first --name
      hold for every job and override job files.

      """
    for group in OptionGroup.allCases where group != .accepted { text += "\n" + self.group(group) }
    text += "\nfio's other options are accepted where ignoring them is harmless, and refused where it is not;"
    text += " --cmdhelp=all lists them.\n"
    return text
  }

  private static func group(_ group: OptionGroup) -> String {
    var text = group.rawValue + "\n"
    for definition in OptionCatalogue.definitions where definition.group == group {
      text += row(definition)
    }
    return text
  }

  private static func row(_ definition: OptionDefinition) -> String {
    var head = "  " + ([definition.name] + definition.aliases).joined(separator: ", ")
    if !definition.syntax.isEmpty, definition.syntax.utf8.count < 40 { head += "=" + definition.syntax }
    let column = 28
    let lines = definition.help.split(separator: "\n", omittingEmptySubsequences: false)
    var text = head
    for (index, line) in lines.enumerated() {
      if index == 0, head.utf8.count + 2 <= column {
        text += String(repeating: " ", count: column - head.utf8.count) + line + "\n"
      } else {
        if index == 0 { text += "\n" }
        text += String(repeating: " ", count: column) + line + "\n"
      }
    }
    return text
  }

  /// About one option, or all of them; nil if there is no such option.
  public static func command(_ name: String) -> String? {
    if name == "all" {
      return OptionGroup.allCases.map { group in
        self.group(group)
      }.joined(separator: "\n")
    }
    guard let definition = OptionCatalogue.definition(named: name) else { return nil }
    var text = row(definition)
    if definition.syntax.utf8.count >= 40 { text += "      values: \(definition.syntax)\n" }
    if case .unsupported = definition.effect { text += "      (refused)\n" }
    return text
  }

  /// `--showcmd`: a job as a command line.
  public static func commandLine(_ plan: JobPlan) -> String {
    func quoted(_ text: String) -> String {
      let plain = text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_=:,./%+".contains($0)) }
      return plain ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }
    func argument(_ option: GivenOption, _ job: JobOptions) -> String {
      // What a job file may leave out is the job's name, and has to stand on a command line.
      let isFlag = OptionCatalogue.definition(named: option.name)?.isFlag ?? true
      let value = option.value ?? (isFlag ? nil : job.name)
      return "--" + option.name + (value.map { "=" + quoted($0) } ?? "")
    }
    return plan.jobs.map { job in
      let own = Set(job.given.map(\.name))
      let options = plan.globalOptions.filter { !own.contains($0.name) } + job.given.filter { $0.name != "name" }
      let words = ["nvmeof-bench", "--name=" + quoted(job.name)] + options.map { argument($0, job) }
      return words.joined(separator: " ") + "\n"
    }.joined()
  }
}
