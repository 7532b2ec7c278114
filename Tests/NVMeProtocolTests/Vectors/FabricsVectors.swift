extension Vector {
  static let connectData = Vector(
    "Connect data: NVMe Base 2.1 section 6.3, figure 546", byteCount: 1024,
    [
      (0, "12 34 56 78 9a bc 4d ef 81 23 45 67 89 ab cd ef"),  // HOSTID
      (16, "ff ff"),  // CNTLID: any
      (256, "6e 71 6e 2e 32 30 31 34 2d 30 38 2e 6f 72 67 3a 74"),  // SUBNQN "nqn.2014-08.org:t"
      (512, "6e 71 6e 2e 32 30 31 34 2d 30 38 2e 6f 72 67 3a 68"),  // HOSTNQN "nqn.2014-08.org:h"
    ])

  static let hostBehaviorSupport = Vector(
    "Host Behavior Support: NVMe Base 2.1 section 5.1.25.1.14", byteCount: 512, [(0, "01 00 01 00 0c 00")])
}
