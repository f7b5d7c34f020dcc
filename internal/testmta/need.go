package testmta

import "os"

// TB is what Need takes of testing.TB; the package stays free of testing for
// the sake of the demonstration program.
type TB interface {
	Helper()
	Skip(args ...any)
	Fatal(args ...any)
}

// Need ends the test where no scratch Postfix can run: with a failure in CI,
// where everything must be there, else with a skip that says what is missing.
func Need(t TB) {
	t.Helper()
	need(t, Available())
}

func need(t TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}
