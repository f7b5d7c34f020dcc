// Reads complaints with postal-mime.
const PostalMime = require('postal-mime')
const { digest, each } = require('./files.cjs')

each(async octets => {
  const mail = await PostalMime.parse(octets, { forceRfc822Attachments: true })
  // It ends an enclosed message with a line end more than there is.
  const original = mail.attachments.find(a => a.mimeType === 'message/rfc822')?.content.slice(0, -1)
  return {
    kinds: ['text/plain', ...mail.attachments.map(a => a.mimeType)],
    text: digest(Buffer.from(mail.text.trimEnd())),
    original: digest(original ?? []),
  }
})
