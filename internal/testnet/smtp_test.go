package testnet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

func startSMTP(t *testing.T, ca *CA) *SMTP {
	t.Helper()
	s, err := StartSMTP(ca)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// send is one transaction with deadlines, as a client of the sink would do it.
func send(addr, body string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	c := smtp.NewClient(conn)
	c.CommandTimeout, c.SubmissionTimeout = 300*time.Millisecond, 300*time.Millisecond
	defer c.Close()
	return c.SendMail("from@sender.test", []string{"to@desk.test"}, strings.NewReader(body))
}

func TestSMTPKeepsOctets(t *testing.T) {
	s := startSMTP(t, nil)
	body := "Subject: x\r\n\r\n.dot\r\n\xff 8-bit\r\n"
	if err := send(s.Addr, body); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	got, err := s.Wait(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	m := got[0]
	if m.From != "from@sender.test" || len(m.To) != 1 || m.To[0] != "to@desk.test" || string(m.Data) != body || m.TLS {
		t.Errorf("kept %+v, data %q", m, m.Data)
	}
}

func TestSMTPWaitEndsWithContext(t *testing.T) {
	s := startSMTP(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Wait(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait = %v, want the context's error", err)
	}
}

func TestSMTPStartTLS(t *testing.T) {
	ca, err := NewCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := startSMTP(t, ca)
	pem, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c, err := smtp.DialStartTLS(s.Addr, &tls.Config{RootCAs: roots, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SendMail("a@sender.test", []string{"b@desk.test"}, strings.NewReader("x\r\n")); err != nil {
		t.Fatal(err)
	}
	if m := s.Messages(); len(m) != 1 || !m[0].TLS {
		t.Errorf("messages = %+v, want one over TLS", m)
	}
}

func TestSMTPFailsAndRecovers(t *testing.T) {
	for _, at := range []Step{Connect, Hello, Mail, Rcpt, Data, End} {
		t.Run(string(at), func(t *testing.T) {
			s := startSMTP(t, nil)

			s.Refuse(at, 451, "later")
			var reply *smtp.SMTPError
			if err := send(s.Addr, "x\r\n"); !errors.As(err, &reply) || reply.Code != 451 {
				t.Errorf("refused: %v, want 451", err)
			}
			s.Cut(at)
			if err := send(s.Addr, "x\r\n"); err == nil || os.IsTimeout(err) || errors.As(err, &reply) && reply.Code == 451 {
				t.Errorf("cut: %v, want a broken connection", err)
			}
			s.Hang(at)
			if err := send(s.Addr, "x\r\n"); !os.IsTimeout(errors.Unwrap(err)) && !os.IsTimeout(err) {
				t.Errorf("hang: %v, want a timeout", err)
			}
			if n := len(s.Messages()); n != 0 {
				t.Errorf("%d messages were taken while failing", n)
			}
			s.Recover()
			if err := send(s.Addr, "x\r\n"); err != nil {
				t.Errorf("after recovery: %v", err)
			}
		})
	}
}

func TestSMTPCloseFreesHangingSessions(t *testing.T) {
	s, err := StartSMTP(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Hang(Connect)
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s.Close()
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadAll(conn); os.IsTimeout(err) {
		t.Error("the session still hangs after Close")
	}
}
