import Foundation
import JSON
import NVMeProtocol
import Testing

@testable import CommandLineTool

@Suite struct IdentifyReportTests {
  @Test func controllerReadsAsFromNVMeCLI() throws {
    let report = IdentifyControllerReport.make(try Golden.controller())
    #expect(
      report.text() == """
        NVME Identify Controller:
        vid       : 0x8086
        ssvid     : 0x1af4
        sn        : SN0123456789
        mn        : Golden "model"
        fr        : 1.2.3
        rab       : 6
        ieee      : 5cd2e4
        cmic      : 0xa
        mdts      : 5
        cntlid    : 0x12
        ver       : 0x20100
        rtd3r     : 0
        rtd3e     : 0
        oaes      : 0x900
        ctratt    : 0x41
        rrls      : 0
        cntrltype : 1
        fguid     : 00000000-0000-0000-0000-000000000000
        crdt1     : 10
        crdt2     : 0
        crdt3     : 0
        nvmsr     : 0
        vwci      : 0
        mec       : 0
        oacs      : 0
        acl       : 3
        aerl      : 3
        frmw      : 0x3
        lpa       : 0x26
        elpe      : 127
        npss      : 0
        avscc     : 0
        apsta     : 0
        wctemp    : 343
        cctemp    : 0
        mtfa      : 0
        hmpre     : 0
        hmmin     : 0
        tnvmcap   : 1180591620717411303424
        unvmcap   : 0
        rpmbs     : 0
        edstt     : 0
        dsto      : 0
        fwug      : 0
        kas       : 10
        hctma     : 0
        mntmt     : 0
        mxtmt     : 0
        sanicap   : 0
        nsetidmax : 0
        endgidmax : 0
        anatt     : 10
        anacap    : 0x1f
        anagrpmax : 128
        nanagrpid : 128
        pels      : 0
        domainid  : 0
        megcap    : 0
        cqt       : 0
        sqes      : 0x66
        cqes      : 0x44
        maxcmd    : 1024
        nn        : 1024
        oncs      : 0xc
        fuses     : 0
        fna       : 0
        vwc       : 0x7
        awun      : 0
        awupf     : 0
        icsvscc   : 0
        nwpc      : 0
        acwu      : 0
        ocfs      : 0
        sgls      : 0x300001
        mnan      : 0
        maxdna    : 0
        maxcna    : 0
        subnqn    : nqn.2014-08.org.example:golden
        ioccsz    : 516
        iorcsz    : 1
        icdoff    : 0
        fcatt     : 0
        msdbd     : 1
        ofcs      : 0x1
        dctype    : 0
        ps      0 : mp:25.00W operational enlat:0 exlat:0 rrt:0 rrl:0 rwt:0 rwl:0
        """)
  }

  @Test func bitsAreToldOnRequest() throws {
    let text = IdentifyControllerReport.make(try Golden.controller()).text(isHuman: true)
    #expect(
      text.contains(
        """
        cmic      : 0xa
          [3:3] : 0x1	ANA reporting supported
          [2:2] : 0	Controller of a PCI function or of a fabric
          [1:1] : 0x1	Subsystem may have several controllers
          [0:0] : 0	Subsystem has one port

        mdts      : 5 (128 KiB)
        """))
    #expect(text.contains("  [2:1] : 0x3\tFlush of all namespaces supported\n"))
    #expect(text.contains("  [3:0] : 0x6\tRequired entry: 64 bytes\n"))
    #expect(text.contains("ver       : 0x20100 (NVMe 2.1)"))
    #expect(text.contains("wctemp    : 343 (70 °C)"))
    #expect(text.contains("ioccsz    : 516 (8256 bytes, 8192 of data)"))
  }

  @Test func controllerJSONHasNVMeCLIsNames() throws {
    let json = IdentifyControllerReport.make(try Golden.controller()).json
    let object = try #require(try JSONSerialization.jsonObject(with: Data(json.description.utf8)) as? [String: Any])
    for name in [
      "vid", "ssvid", "sn", "mn", "fr", "rab", "ieee", "cmic", "mdts", "cntlid", "ver", "rtd3r", "rtd3e", "oaes",
      "ctratt", "rrls", "cntrltype", "fguid", "crdt1", "crdt2", "crdt3", "nvmsr", "vwci", "mec", "oacs", "acl", "aerl",
      "frmw", "lpa", "elpe", "npss", "avscc", "apsta", "wctemp", "cctemp", "mtfa", "hmpre", "hmmin", "tnvmcap",
      "unvmcap", "rpmbs", "edstt", "dsto", "fwug", "kas", "hctma", "mntmt", "mxtmt", "sanicap", "nsetidmax",
      "endgidmax", "anatt", "anacap", "anagrpmax", "nanagrpid", "pels", "domainid", "megcap", "sqes", "cqes", "maxcmd",
      "nn", "oncs", "fuses", "fna", "vwc", "awun", "awupf", "icsvscc", "nwpc", "acwu", "ocfs", "sgls", "mnan",
      "maxdna", "maxcna", "subnqn", "ioccsz", "iorcsz", "icdoff", "fcatt", "msdbd", "ofcs", "psds",
    ] {
      #expect(object[name] != nil, "\(name) is missing")
    }
    #expect(object["mn"] as? String == "Golden \"model\"")
    #expect(object["mdts"] as? Int == 5)
    #expect(object["oaes"] as? Int == 0x900)
    #expect((object["psds"] as? [[String: Any]])?.first?["max_power"] as? Int == 2500)
    #expect(json["tnvmcap"] == .integer(UInt128(1) << 70))
  }

  @Test func namespaceReadsAsFromNVMeCLI() throws {
    let report = IdentifyNamespaceReport.make(try Golden.namespace(), identifier: 3)
    #expect(
      report.text() == """
        NVME Identify Namespace 3:
        nsze     : 0x20000
        ncap     : 0x20000
        nuse     : 0x20000
        nsfeat   : 0x10
        nlbaf    : 1
        flbas    : 0x1
        mc       : 0
        dpc      : 0
        dps      : 0
        nmic     : 0x1
        rescap   : 0
        fpi      : 0
        dlfeat   : 0x9
        nawun    : 0
        nawupf   : 0
        nacwu    : 0
        nabsn    : 0
        nabo     : 0
        nabspf   : 0
        noiob    : 0
        nvmcap   : 536870912
        npwg     : 7
        npwa     : 0
        npdg     : 0
        npda     : 0
        nows     : 0
        mssrl    : 0
        mcl      : 0
        msrc     : 0
        nulbaf   : 0
        anagrpid : 1
        nsattr   : 0
        nvmsetid : 0
        endgid   : 0
        nguid    : 0123456789abcdeffedcba9876543210
        eui64    : aabbccddeeff0011
        lbaf  0 : ms:0   lbads:9  rp:2
        lbaf  1 : ms:0   lbads:12 rp:0 (in use)
        """)
    let human = report.text(isHuman: true)
    #expect(human.contains("nsze     : 0x20000 (512 MiB)"))
    #expect(
      human.hasSuffix(
        "LBA Format  1 : Metadata Size: 0   bytes - Data Size: 4096 bytes - Relative Performance: 0 Best (in use)"))
    #expect(report.json["lbafs"] != nil)
    #expect(report.json["nsze"] == .integer(0x20000))
  }

  @Test func hostileNamespaceDoesNotTrap() throws {
    for byte in [UInt8(0xFF), 0x80, 0x01] {
      let namespace = try IdentifyNamespace(decoding: [UInt8](repeating: byte, count: 4096))
      let report = IdentifyNamespaceReport.make(namespace, identifier: .max)
      #expect(!report.text(isHuman: true).isEmpty)
      #expect(!report.json.description.isEmpty)
      let controller = try IdentifyController(decoding: [UInt8](repeating: byte, count: 4096))
      let other = IdentifyControllerReport.make(controller, minimumPageBytes: 1 << 27)
      #expect(!other.text(isHuman: true).isEmpty)
      _ = try JSONSerialization.jsonObject(with: Data(other.json.description.utf8))
    }
  }
}
