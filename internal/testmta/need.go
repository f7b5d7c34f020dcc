package testmta

import "os"

// TB is what Need takes of testing.TB; the package stays free of testing for
// the sake of the demonstration program.
type TB interface {
	Helper()
	Skip(args ...any)
	Fatal(args ...any)
}

// Need ends the test where no scratch Postfix can run.
func Need(t TB) {
	t.Helper()
	need(t, Available())
}

func need(t TB, err error) {
	t.Helper()
	if err != nil {
		Missing(t, err)
	}
}

// Missing ends a test that lacks something of the machine's: with a failure in CI,
// where everything must be there, else with a skip that says what is missing.
func Missing(t TB, what any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
		return
	}
	t.Skip(what)
}
