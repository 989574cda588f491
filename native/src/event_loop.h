#pragma once

namespace addon {

// Readies libvirt for this process, once: silences its printing to stderr and runs its default event loop on a thread
// of its own, for ever. Must come before the first connection is opened. Throws Failure.
void startEventLoop();

}  // namespace addon
