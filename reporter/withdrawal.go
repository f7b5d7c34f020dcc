package reporter

import (
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
	return d.writeText(w, text)
}
