extension Vector {
  static let identifyController = Vector(
    "Identify Controller: NVMe Base 2.1 figure 312", byteCount: 4096,
    [
      (0, "4d 14 4e 14"),  // VID, SSVID
      (4, "53 4e 30 31 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20"),  // SN "SN01"
      (24, "4c 69 6e 75 78 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20"),  // MN "Linux"
      (44, "20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20"),
      (64, "36 2e 31 32 20 20 20 20"),  // FR "6.12"
      (72, "06"),  // RAB
      (73, "c2 b3 a4"),  // IEEE A4B3C2h
      (76, "0b"),  // CMIC: ports, controllers, ANA
      (77, "05"),  // MDTS
      (78, "07 00"),  // CNTLID
      (80, "00 01 02 00"),  // VER 2.1
      (84, "01 00 00 00 02 00 00 00"),  // RTD3R, RTD3E
      (92, "00 09 00 80"),  // OAES: namespaces, ANA, discovery
      (96, "41 00 00 00"),  // CTRATT: 128-bit host identifier, TBKAS
      (100, "03 00"),  // RRLS
      (111, "01"),  // CNTRLTYPE I/O
      (112, "00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff"),  // FGUID
      (128, "01 00 02 00 0a 00"),  // CRDT1 to CRDT3
      (253, "01 02 03"),  // NVMSR, VWCI, MEC
      (256, "2e 01"),  // OACS
      (258, "03 03 16 07 7f"),  // ACL, AERL, FRMW, LPA, ELPE
      (263, "01 01 01"),  // NPSS, AVSCC, APSTA
      (266, "57 01 61 01 0a 00"),  // WCTEMP, CCTEMP, MTFA
      (272, "00 01 00 00 10 00 00 00"),  // HMPRE, HMMIN
      (280, "00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00"),  // TNVMCAP 2^64
      (296, "ff 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"),  // UNVMCAP
      (312, "09 00 00 00"),  // RPMBS
      (316, "1e 00 01 ff"),  // EDSTT, DSTO, FWUG
      (320, "0a 00"),  // KAS 1 s
      (322, "01 00 11 01 51 01"),  // HCTMA, MNTMT, MXTMT
      (328, "07 00 00 60"),  // SANICAP
      (338, "04 00 05 00"),  // NSETIDMAX, ENDGIDMAX
      (342, "0a 1f"),  // ANATT, ANACAP
      (344, "80 00 00 00 03 00 00 00"),  // ANAGRPMAX, NANAGRPID
      (352, "20 00 00 00 06 00"),  // PELS, DID
      (368, "02 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"),  // MEGCAP
      (386, "f4 01"),  // CQT 500 ms
      (512, "66 44 00 04"),  // SQES, CQES, MAXCMD 1,024
      (516, "00 04 00 00"),  // NN
      (520, "8d 00"),  // ONCS: compare, DSM, write zeroes, verify
      (522, "01 00 02 07"),  // FUSES, FNA, VWC
      (526, "07 00 03 00"),  // AWUN, AWUPF
      (530, "01 02 04 00 03 00"),  // ICSVSCC, NWPC, ACWU, CDFS
      (536, "01 00 30 00"),  // SGLS
      (540, "00 02 00 00"),  // MNAN
      (544, "09 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 08 00 00 00"),  // MAXDNA, MAXCNA
      (768, "6e 71 6e 2e 32 30 31 34 2d 30 38 2e 6f 72 67 3a 74"),  // SUBNQN "nqn.2014-08.org:t"
      (1792, "04 04 00 00"),  // IOCCSZ: 64 + 16,384 bytes
      (1796, "01 00 00 00"),  // IORCSZ
      (1800, "00 00 01 04"),  // ICDOFF, FCATT, MSDBD
      (1804, "01 00 02"),  // OFCS, DCTYPE
      (2048, "84 03 00 01 10 00 00 00 20 00 00 00 01 02 03 04 05 00 40 00 06 00 81"),  // PSD0
      (2080, "10 00 00 02"),  // PSD1
    ])
}
