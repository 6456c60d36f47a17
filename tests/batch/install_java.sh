#!/bin/sh
# A Java runtime, for the tests of Spark: the one that is there, else a package of the system, where that may be
# installed. Without any the tests say what is missing, and fail.
set -eu
command -v java >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ]; then root=; else root="sudo -n"; fi
if command -v apt-get >/dev/null 2>&1; then
    for package in openjdk-17-jre-headless default-jre-headless; do
        $root apt-get update -qq && $root apt-get install -y -qq --no-install-recommends "$package" && exit 0
    done
fi
echo "no Java runtime, and none could be installed: Spark needs Java 17 or newer (java on PATH, or JAVA_HOME)" >&2
