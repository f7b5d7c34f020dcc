package testmta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// SendmailTree is where .ci/deps unpacks Debian's Sendmail, whose packages conflict
// with Postfix's and so can't be installed beside them.
const SendmailTree = "/var/cache/spamreport-milter/sendmail"

// Sendmail is one running instance, without XCLIENT, which it does not have. Its
// methods may be called from several goroutines, but for Restart and Stop.
type Sendmail struct {
	Addr string // HOST:PORT of its SMTP server

	base   string // everything it owns; removed by Stop
	daemon *exec.Cmd
	ended  chan struct{} // closed when the daemon has ended
}

// SendmailAvailable returns nil if StartSendmail can work here, else an error that
// wraps ErrUnavailable and says what to do.
func SendmailAvailable() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: Sendmail needs root", ErrUnavailable)
	}
	if _, err := exec.LookPath("m4"); err != nil {
		return fmt.Errorf("%w: no m4 in PATH, run .ci/deps", ErrUnavailable)
	}
	if _, err := os.Stat(sendmailProgram); err != nil {
		return fmt.Errorf("%w: no Sendmail in %s, run .ci/deps as root", ErrUnavailable, SendmailTree)
	}
	return nil
}

const sendmailProgram = SendmailTree + "/usr/libexec/sendmail/sendmail"

// NeedSendmail ends the test where no scratch Sendmail can run, as Need does.
func NeedSendmail(t TB) {
	t.Helper()
	need(t, SendmailAvailable())
}

// StartSendmail builds the directories and starts the daemon. It returns when SMTP
// is answered. On an error nothing is left running or lying about.
func StartSendmail(ctx context.Context, o Options) (*Sendmail, error) {
	if err := SendmailAvailable(); err != nil {
		return nil, err
	}
	s := &Sendmail{}
	var err error
	if s.base, err = os.MkdirTemp("", "testmta-"); err != nil {
		return nil, err
	}
	if err = s.layOut(o); err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start Sendmail: %w\n%s", err, s.Log()), s.Stop())
	}
	return s, nil
}

func (s *Sendmail) path(name string) string { return filepath.Join(s.base, name) }

func (s *Sendmail) layOut(o Options) error {
	if err := os.Mkdir(s.path("queue"), 0o700); err != nil {
		return err
	}
	var err error
	if s.Addr, err = freeAddr(); err != nil {
		return err
	}
	if o.TLS {
		if err := writeCertificate(s.path("cert.pem"), s.path("key.pem")); err != nil {
			return err
		}
	}
	if o.Auth {
		if err := s.account(); err != nil {
			return err
		}
	}
	mc := s.path("sendmail.mc")
	if err := os.WriteFile(mc, []byte(s.mc(o)), 0o644); err != nil {
		return err
	}
	m4 := exec.Command("m4", "-D_CF_DIR_="+SendmailTree+"/usr/share/sendmail/cf/", SendmailTree+"/usr/share/sendmail/cf/m4/cf.m4", mc)
	var faults bytes.Buffer
	m4.Stderr = &faults
	cf, err := m4.Output()
	if err != nil || faults.Len() > 0 {
		return fmt.Errorf("m4: %v: %s", err, faults.String())
	}
	return os.WriteFile(s.path("sendmail.cf"), cf, 0o644)
}

// account makes a user for SASL, with its files beside ours.
func (s *Sendmail) account() error {
	if err := os.Mkdir(s.path("sasl"), 0o755); err != nil {
		return err
	}
	conf := "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\nsasldb_path: " + s.path("sasl/db") + "\n"
	if err := os.WriteFile(s.path("sasl/Sendmail.conf"), []byte(conf), 0o644); err != nil {
		return err
	}
	cmd := exec.Command("saslpasswd2", "-p", "-c", "-f", s.path("sasl/db"), "-u", "mx.example.org", "fred")
	cmd.Stdin = strings.NewReader("secret\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("saslpasswd2 of sasl2-bin: %w: %s", err, out)
	}
	return os.Chmod(s.path("sasl/db"), 0o600) // Sendmail refuses one that others can read
}

// mc is the configuration in m4. Nothing of it listens on another port than ours,
// and no user but root and nobody has to exist.
func (s *Sendmail) mc(o Options) string {
	host, port, _ := net.SplitHostPort(s.Addr)
	defines := [][2]string{
		{"confDOMAIN_NAME", "mx.example.org"},
		{"QUEUE_DIR", s.path("queue")}, {"confPID_FILE", s.path("pid")}, {"STATUS_FILE", s.path("statistics")},
		{"ALIAS_FILE", ""}, {"confTRUSTED_USER", "root"}, {"confDEF_USER_ID", "nobody:nogroup"},
		{"confTO_IDENT", "0"}, {"confCONNECTION_RATE_THROTTLE", "0"},
		// However busy the machine is, mail is taken and delivered.
		{"confREFUSE_LA", "1000"}, {"confQUEUE_LA", "1000"},
		{"confDELIVERY_MODE", "q"}, {"confDONT_BLAME_SENDMAIL", "TrustStickyBit"}, // for what is below /tmp
	}
	if relayHost, relayPort, err := net.SplitHostPort(o.Relay); o.Relay != "" && err == nil {
		defines = append(defines, [2]string{"SMART_HOST", "relay:[" + relayHost + "]"},
			[2]string{"RELAY_MAILER_ARGS", "TCP $h " + relayPort}, [2]string{"confDELIVERY_MODE", "background"})
	}
	if o.TLS {
		defines = append(defines, [2]string{"confSERVER_CERT", s.path("cert.pem")}, [2]string{"confSERVER_KEY", s.path("key.pem")},
			[2]string{"confCACERT", s.path("cert.pem")}, [2]string{"confCACERT_PATH", s.base})
	}
	var b strings.Builder
	b.WriteString("OSTYPE(`linux')dnl\n")
	for _, d := range defines {
		fmt.Fprintf(&b, "define(`%s', `%s')dnl\n", d[0], d[1])
	}
	for _, f := range []string{"no_default_msa", "accept_unresolvable_domains", "accept_unqualified_senders", "nocanonify"} {
		fmt.Fprintf(&b, "FEATURE(`%s')dnl\n", f)
	}
	fmt.Fprintf(&b, "RELAY_DOMAIN(`example.org')dnl\nDAEMON_OPTIONS(`Family=inet, Name=MTA, Addr=%s, Port=%s')dnl\n", host, port)
	if o.IPv6 {
		fmt.Fprintf(&b, "DAEMON_OPTIONS(`Family=inet6, Name=MTA6, Addr=::1, Port=%s')dnl\n", port)
	}
	if o.Auth {
		b.WriteString("define(`confAUTH_MECHANISMS', `PLAIN LOGIN')dnl\nTRUST_AUTH_MECH(`PLAIN LOGIN')dnl\nLOCAL_CONFIG\nESASL_CONF_PATH=" + s.path("sasl") + "\n")
	}
	b.WriteString(o.MC)
	b.WriteString("MAILER(`smtp')dnl\nLOCAL_RULESETS\nSLocal_check_rcpt\n" +
		"R<refused@example.org> $*\t$#error $@ 5.1.1 $: \"550 no such user\"\nR<refused@example.org>\t$#error $@ 5.1.1 $: \"550 no such user\"\n")
	return b.String()
}

// start runs the daemon under a host name with a dot: for one without it sleeps a
// minute in the hope of a better one.
func (s *Sendmail) start(ctx context.Context) error {
	log, err := os.OpenFile(s.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.daemon = exec.Command("unshare", "-u", "sh", "-c", `hostname mx.example.org && exec "$0" "$@"`,
		sendmailProgram, "-C", s.path("sendmail.cf"), "-bD", "-X", s.path("traffic"))
	s.daemon.Env = append(os.Environ(), "LD_LIBRARY_PATH="+SendmailTree+"/usr/lib/"+triplet())
	s.daemon.Stdout, s.daemon.Stderr = log, log
	s.daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.daemon.Start(); err != nil {
		return err
	}
	daemon, ended := s.daemon, make(chan struct{})
	s.ended = ended
	go func() {
		daemon.Wait()
		close(ended)
	}()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for !greets(ctx, s.Addr) {
		select {
		case <-ended:
			return errors.New("the daemon ended at once")
		default:
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("no SMTP greeting at %s: %w", s.Addr, err)
		}
	}
	return nil
}

// triplet is the name of the directory of shared libraries, as Debian has it.
func triplet() string {
	dirs, _ := filepath.Glob(SendmailTree + "/usr/lib/*/libwrap.so.0")
	if len(dirs) == 0 {
		return ""
	}
	return filepath.Base(filepath.Dir(dirs[0]))
}

// Restart ends the daemon and all its sessions and starts it again.
func (s *Sendmail) Restart(ctx context.Context) error {
	s.end()
	return s.start(ctx)
}

// end kills what start has started: the daemon and the child for each session.
func (s *Sendmail) end() {
	if s.daemon == nil || s.daemon.Process == nil {
		return
	}
	group := -s.daemon.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(5 * time.Second):
	}
	_ = syscall.Kill(group, syscall.SIGKILL) // children that did not hear
	<-s.ended
}

// Log returns what the daemon printed, and the SMTP dialogues; there is no syslog.
// Debugging output (-d64.12) would go to the SMTP client.
func (s *Sendmail) Log() string {
	log, _ := os.ReadFile(s.path("log"))
	traffic, _ := os.ReadFile(s.path("traffic"))
	return string(log) + string(traffic)
}

// Stop ends the daemon and removes all that it wrote. Calling it twice is harmless.
func (s *Sendmail) Stop() error {
	s.end()
	s.daemon = nil
	return os.RemoveAll(s.base)
}
