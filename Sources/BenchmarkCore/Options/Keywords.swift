internal import Glibc

/// fio's reserved words in values: `$pagesize`, `$mb_memory`, `$ncpus` (each optionally `N*$word`), and `${jobname}`.
enum Keywords {
  static func replace(in text: String, jobName: String) -> String {
    var text = text.replacing("${jobname}", with: jobName)
    let pageSize = sysconf(Int32(_SC_PAGESIZE))
    let pages = sysconf(Int32(_SC_PHYS_PAGES))
    let words: [(String, Int)] = [
      ("$pagesize", pageSize), ("$mb_memory", pages / ((1 << 20) / max(1, pageSize))),
      ("$ncpus", sysconf(Int32(_SC_NPROCESSORS_ONLN))),
    ]
    for (word, value) in words where text.contains(word) {
      text = text.replacing(word, with: String(value))
      // The one form of arithmetic fio's manual shows: a factor before or after the word.
      let factors = text.split(separator: "*").map { Int($0.trimmedSpaces) }
      if factors.count == 2, let first = factors[0], let second = factors[1] {
        let (product, overflow) = first.multipliedReportingOverflow(by: second)
        if !overflow { text = String(product) }
      }
    }
    return text
  }
}
