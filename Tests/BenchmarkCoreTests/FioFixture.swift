/// What fio 3.33 itself wrote for a mixed job with --output-format=json+, cut to two bins a histogram:
///
///     fio --output-format=json+ --slat_percentiles=1 --clat_percentiles=1 --lat_percentiles=1 --name=global
///       --filename=… --size=4m --bs=4k --ioengine=libaio --iodepth=4 --fsync=32 --runtime=1 --time_based
///       --percentile_list=50:99 --name=mix --rw=randrw --description=text --continue_on_error=io
enum FioFixture {
  static let json = #"""
    {
     "fio version": "fio-3.33",
     "timestamp": 1795471696,
     "timestamp_ms": 1795471696204,
     "time": "Mon Nov 23 22:08:16 2026",
     "global options": {
      "slat_percentiles": "1",
      "clat_percentiles": "1",
      "lat_percentiles": "1",
      "name": "global",
      "filename": "test.img",
      "size": "4m",
      "bs": "4k",
      "ioengine": "libaio",
      "iodepth": "4",
      "fsync": "32",
      "runtime": "1",
      "percentile_list": "50:99"
     },
     "jobs": [
      {
       "jobname": "mix",
       "groupid": 0,
       "error": 0,
       "eta": 2147483647,
       "elapsed": 2,
       "job options": {
        "name": "mix",
        "rw": "randrw",
        "description": "text",
        "continue_on_error": "io"
       },
       "read": {
        "io_bytes": 8830976,
        "io_kbytes": 8624,
        "bw_bytes": 8657819,
        "bw": 8454,
        "iops": 2113.72549,
        "runtime": 1020,
        "total_ios": 2156,
        "short_ios": 0,
        "drop_ios": 0,
        "slat_ns": {
         "min": 1362,
         "max": 7812192,
         "mean": 281440.374768,
         "stddev": 713847.080212,
         "N": 2156,
         "percentile": {
          "50.000000": 85504,
          "99.000000": 3981312
         },
         "bins": {
          "1368": 1,
          "1432": 1
         }
        },
        "clat_ns": {
         "min": 8323,
         "max": 37652658,
         "mean": 669804.890538,
         "stddev": 1749677.09996,
         "N": 2156,
         "percentile": {
          "50.000000": 164864,
          "99.000000": 8585216
         },
         "bins": {
          "8384": 1,
          "8896": 2
         }
        },
        "lat_ns": {
         "min": 67470,
         "max": 37773138,
         "mean": 951245.265306,
         "stddev": 1961478.246296,
         "N": 2156,
         "percentile": {
          "50.000000": 272384,
          "99.000000": 9633792
         },
         "bins": {
          "67072": 1,
          "69120": 3
         }
        },
        "bw_min": 8312,
        "bw_max": 8928,
        "bw_agg": 100.0,
        "bw_mean": 8620.0,
        "bw_dev": 435.577777,
        "bw_samples": 2,
        "iops_min": 2078,
        "iops_max": 2232,
        "iops_mean": 2155.0,
        "iops_stddev": 108.894444,
        "iops_samples": 2
       },
       "write": {
        "io_bytes": 9306112,
        "io_kbytes": 9088,
        "bw_bytes": 9123639,
        "bw": 8909,
        "iops": 2227.45098,
        "runtime": 1020,
        "total_ios": 2272,
        "short_ios": 0,
        "drop_ios": 0,
        "slat_ns": {
         "min": 1620,
         "max": 165092,
         "mean": 4596.059419,
         "stddev": 6795.002106,
         "N": 2272,
         "percentile": {
          "50.000000": 3024,
          "99.000000": 19072
         },
         "bins": {
          "1624": 1,
          "1672": 1
         }
        },
        "clat_ns": {
         "min": 7582,
         "max": 37647362,
         "mean": 707713.652729,
         "stddev": 1984941.356189,
         "N": 2272,
         "percentile": {
          "50.000000": 166912,
          "99.000000": 9764864
         },
         "bins": {
          "7584": 1,
          "7840": 1
         }
        },
        "lat_ns": {
         "min": 9809,
         "max": 37651395,
         "mean": 712309.712148,
         "stddev": 1985419.437624,
         "N": 2272,
         "percentile": {
          "50.000000": 171008,
          "99.000000": 9764864
         },
         "bins": {
          "9792": 2,
          "10048": 3
         }
        },
        "bw_min": 8832,
        "bw_max": 9328,
        "bw_agg": 100.0,
        "bw_mean": 9080.0,
        "bw_dev": 350.724963,
        "bw_samples": 2,
        "iops_min": 2208,
        "iops_max": 2332,
        "iops_mean": 2270.0,
        "iops_stddev": 87.681241,
        "iops_samples": 2
       },
       "trim": {
        "io_bytes": 0,
        "io_kbytes": 0,
        "bw_bytes": 0,
        "bw": 0,
        "iops": 0.0,
        "runtime": 0,
        "total_ios": 0,
        "short_ios": 0,
        "drop_ios": 0,
        "slat_ns": {
         "min": 0,
         "max": 0,
         "mean": 0.0,
         "stddev": 0.0,
         "N": 0
        },
        "clat_ns": {
         "min": 0,
         "max": 0,
         "mean": 0.0,
         "stddev": 0.0,
         "N": 0
        },
        "lat_ns": {
         "min": 0,
         "max": 0,
         "mean": 0.0,
         "stddev": 0.0,
         "N": 0
        },
        "bw_min": 0,
        "bw_max": 0,
        "bw_agg": 0.0,
        "bw_mean": 0.0,
        "bw_dev": 0.0,
        "bw_samples": 0,
        "iops_min": 0,
        "iops_max": 0,
        "iops_mean": 0.0,
        "iops_stddev": 0.0,
        "iops_samples": 0
       },
       "sync": {
        "total_ios": 146,
        "lat_ns": {
         "min": 633520,
         "max": 37766950,
         "mean": 5962017.657534,
         "stddev": 4633161.983811,
         "N": 146,
         "percentile": {
          "50.000000": 4947968,
          "99.000000": 14876672
         },
         "bins": {
          "634880": 1,
          "716800": 1
         }
        }
       },
       "job_runtime": 1019,
       "usr_cpu": 0.0,
       "sys_cpu": 13.248283,
       "ctx": 2685,
       "majf": 0,
       "minf": 23,
       "iodepth_level": {
        "1": 0.1,
        "2": 0.1,
        "4": 103.229449,
        "8": 0.0,
        "16": 0.0,
        "32": 0.0,
        ">=64": 0.0
       },
       "iodepth_submit": {
        "0": 0.0,
        "4": 100.0,
        "8": 0.0,
        "16": 0.0,
        "32": 0.0,
        "64": 0.0,
        ">=64": 0.0
       },
       "iodepth_complete": {
        "0": 0.0,
        "4": 100.0,
        "8": 0.0,
        "16": 0.0,
        "32": 0.0,
        "64": 0.0,
        ">=64": 0.0
       },
       "latency_ns": {
        "2": 0.0,
        "4": 0.0,
        "10": 0.0,
        "20": 0.0,
        "50": 0.0,
        "100": 0.0,
        "250": 0.0,
        "500": 0.0,
        "750": 0.0,
        "1000": 0.0
       },
       "latency_us": {
        "2": 0.0,
        "4": 0.0,
        "10": 4.155375,
        "20": 7.091238,
        "50": 0.903342,
        "100": 19.128275,
        "250": 38.414634,
        "500": 13.775971,
        "750": 2.890696,
        "1000": 1.106594
       },
       "latency_ms": {
        "2": 3.003613,
        "4": 4.607046,
        "10": 4.31346,
        "20": 0.542005,
        "50": 0.067751,
        "100": 0.0,
        "250": 0.0,
        "500": 0.0,
        "750": 0.0,
        "1000": 0.0,
        "2000": 0.0,
        ">=2000": 0.0
       },
       "total_err": 0,
       "first_error": 0,
       "latency_depth": 4,
       "latency_target": 0,
       "latency_percentile": 100.0,
       "latency_window": 0,
       "desc": "text"
      }
     ],
     "disk_util": []
    }
    """#

  /// The text fio 3.33 printed for one job, with the figures as they were.
  static let normal = #"""
    reader: (groupid=0, jobs=1): err= 0: pid=6354: Mon Nov 23 21:02:58 2026
      read: IOPS=11.5k, BW=45.0MiB/s (47.2MB/s)(90.1MiB/2001msec)
        slat (usec): min=40, max=4971, avg=84.96, stdev=53.94
        clat (usec): min=2, max=7127, avg=260.86, stdev=129.37
         lat (usec): min=88, max=7213, avg=345.82, stdev=145.44
        clat percentiles (usec):
         |  1.00th=[  151],  5.00th=[  169], 10.00th=[  184], 20.00th=[  210],
         | 30.00th=[  227], 40.00th=[  241], 50.00th=[  251], 60.00th=[  265],
         | 70.00th=[  281], 80.00th=[  297], 90.00th=[  330], 95.00th=[  359],
         | 99.00th=[  482], 99.50th=[  586], 99.90th=[ 1532], 99.95th=[ 2769],
         | 99.99th=[ 7111]
       bw (  KiB/s): min=43304, max=50212, per=99.90%, avg=46071.00, stdev=3653.22, samples=3
       iops        : min=10826, max=12553, avg=11517.67, stdev=913.35, samples=3
      lat (usec)   : 4=0.01%, 100=0.01%, 250=49.77%, 500=49.37%, 750=0.62%
      lat (usec)   : 1000=0.10%
      lat (msec)   : 2=0.07%, 4=0.04%, 10=0.03%
      cpu          : usr=3.50%, sys=48.55%, ctx=22099, majf=0, minf=13
      IO depths    : 1=0.1%, 2=0.1%, 4=100.0%, 8=0.0%, 16=0.0%, 32=0.0%, >=64=0.0%
         submit    : 0=0.0%, 4=100.0%, 8=0.0%, 16=0.0%, 32=0.0%, 64=0.0%, >=64=0.0%
         complete  : 0=0.0%, 4=100.0%, 8=0.0%, 16=0.0%, 32=0.0%, 64=0.0%, >=64=0.0%
         issued rwts: total=23070,0,0,0 short=0,0,0,0 dropped=0,0,0,0
         latency   : target=0, window=0, percentile=100.00%, depth=4

    Run status group 0 (all jobs):
       READ: bw=45.0MiB/s (47.2MB/s), 45.0MiB/s-45.0MiB/s (47.2MB/s-47.2MB/s), io=90.1MiB (94.5MB), run=2001-2001msec
    """#
}
