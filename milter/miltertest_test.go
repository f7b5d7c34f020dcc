package milter_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"spamreport-milter/internal/testmta"
	"spamreport-milter/milter"
)

// TestMiltertest runs the scripts of a client that is not ours: miltertest of the
// OpenDKIM project, which speaks the protocol as libmilter does.
func TestMiltertest(t *testing.T) {
	program, err := exec.LookPath("miltertest")
	if err != nil {
		testmta.Missing(t, err)
	}
	for name, reports := range map[string]int{"ham": 0, "spam": 1, "report": 1} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, milter.Config{Reports: reportsTo(milter.Reports{})})
			script := filepath.Join("testdata", "miltertest", name+".lua")
			if out, err := exec.Command(program, "-D", "socket=inet:"+portOf(s.addr)+"@127.0.0.1", "-s", script).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			s.idle(t)
			if got := len(s.all()); got != reports {
				t.Errorf("%d reports, want %d", got, reports)
			}
			if st := s.Stats(); st.Panics != 0 || st.Broken != 0 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}
