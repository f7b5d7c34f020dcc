package reporter

import (
	"fmt"
	"io"

	"spamreport-milter/queue"
)

// Withdrawal is the word that a complaint was a mistake, to those who have it. It
// encloses nothing. Nobody chooses it: taking a complaint back does.
var Withdrawal = Format{
	Name:   queue.FormatWithdrawal,
	letter: "withdrawal",
	write:  writeWithdrawal,
}

func writeWithdrawal(w io.Writer, d *draft) error {
	text, err := d.text("withdrawal")
	if err != nil {
		return err
	}
	h := d.envelope()
	h.Set("Subject", fmt.Sprintf("Taken back: abuse report about %s [%s]", d.Source, d.letter.Withdraws))
	return writeText(w, h, text)
}
