#!/usr/bin/env bash
# `npm test [-- vitest arguments]`: everything this host needs, then all tests; the last line counts them.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
bash etc/prepare.sh
bash etc/demo/build-guest.sh
npm run --silent check

results=$(mktemp)
trap 'rm -f "$results"' EXIT
code=0
npx vitest run --reporter=default --reporter=json --outputFile.json="$results" "$@" || code=$?
node -e '
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(require("fs").readFileSync(process.argv[1]));
  // A file that could not even be loaded has no tests to fail; it counts as one failure.
  const unloaded = testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length;
  console.log(`${numPassedTests} passed, ${numFailedTests + unloaded} failed`);
' "$results"
exit "$code"
