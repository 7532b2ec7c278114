/// The window in which instructions are counted: callgrind starts at this symbol's entry, and writes its figures and stops
/// at its return. Never inlined, and under a name of its own, so that it can be named on callgrind's command line.
@inline(never) @_silgen_name("nvmeof_counted_rounds")
func countedRounds(_ load: any Load, count: Int) throws {
  for _ in 0..<count { try load.doRound() }
}
