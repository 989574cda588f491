{
  "targets": [
    {
      "target_name": "binding",
      "sources": [
        "src/addon.cc",
        "src/bridge.cc",
        "src/connection.cc",
        "src/domain_operations.cc",
        "src/event_loop.cc",
        "src/failure.cc",
        "src/host_operations.cc",
        "src/host_tools.cc",
        "src/network_operations.cc",
        "src/nwfilter_operations.cc",
        "src/operations.cc",
        "src/pool.cc",
        "src/sockets.cc",
        "src/stats_operations.cc",
        "src/tuning_operations.cc",
        "src/value.cc"
      ],
      "defines": ["NAPI_VERSION=8", "NAPI_CPP_EXCEPTIONS"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti"],
      "cflags_cc": [
        "-isystem", "<!(node -p \"path.relative('build', path.dirname(require.resolve('node-addon-api')))\")",
        "-fexceptions",
        "-fvisibility=hidden",
        "-Wall",
        "-Wextra"
      ],
      # nodelete: threads that hang inside libvirt outlive the environment (a worker thread) that loaded the addon.
      "ldflags": ["-Wl,-z,nodelete"],
      "libraries": ["-lvirt"]
    }
  ]
}
