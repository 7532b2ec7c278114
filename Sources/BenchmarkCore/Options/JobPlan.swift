/// All jobs of a run with their options checked.
public struct JobPlan: Sendable {
  public var jobs: [JobOptions]
  /// What [global] sections and the command line said for all jobs; what they said for some is with those.
  public var globalOptions: [GivenOption]
  /// Things worth telling, such as options without effect.
  public var notes: [String]

  /// The report group of each job, by fio's rule: `stonewall` and `new_group` start one.
  public var groupIdentifiers: [Int] {
    var group = 0
    return jobs.enumerated().map { index, job in
      if index > 0, job.stonewall || job.newGroup { group += 1 }
      return group
    }
  }
}
