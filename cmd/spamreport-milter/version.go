package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is the version of this tree; CHANGELOG.md has the same.
const release = "0.1.0"

// VersionCmd prints the version.
type VersionCmd struct{}

// Run prints it in one line.
func (*VersionCmd) Run(e *Env) error {
	_, err := fmt.Fprintf(e.Stdout, "spamreport-milter %s (%s)\n", version(), runtime.Version())
	return err
}

// version is the release, and the commit where the build knows it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return release + "+" + s.Value[:12]
		}
	}
	return release
}
