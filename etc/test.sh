#!/usr/bin/env bash
# `npm test [-- vitest arguments]`: everything this host needs, then all tests. Whatever happens, the last line counts:
# "N passed, N failed" (a line before it, how many were skipped). What fails without being a test counts as one failed.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd "$root"

results=$(mktemp)
# Stands where nothing could be counted: set-up, check or vitest itself failed.
count="0 passed, 1 failed"
trap 'rm -f "$results"; echo "$count"' EXIT

bash etc/prepare.sh
bash etc/demo/build-guest.sh
npm run --silent check

code=0
npx vitest run --config test/vitest.config.ts --reporter=default --reporter=json --outputFile.json="$results" "$@" || code=$?
if [ ! -s "$results" ]; then exit $((code == 0 ? 1 : code)); fi
count=$(node -e '
  const [file, code] = process.argv.slice(1);
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
    require("fs").readFileSync(file),
  );
  // A file that could not even be loaded has no tests to fail; it counts as one failure.
  const unloaded = testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length;
  const failed = numFailedTests + unloaded;
  const skipped = numPendingTests + numTodoTests;
  // vitest may fail by more than tests: an unhandled error, something left behind on the host.
  if (skipped > 0) console.error(`${skipped} skipped, for want of something that this host has not: their names say what`);
  console.log(`${numPassedTests} passed, ${failed === 0 && code !== "0" ? 1 : failed} failed`);
' "$results" "$code")
exit "$code"
