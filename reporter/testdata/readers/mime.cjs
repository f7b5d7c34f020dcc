// Reads complaints with postal-mime.
const PostalMime = require('postal-mime').default ?? require('postal-mime')
const { digest, each } = require('./files.cjs')

each(async octets => {
  const mail = await PostalMime.parse(octets, { forceRfc822Attachments: true })
  return {
    kinds: ['text/plain', ...mail.attachments.map(a => a.mimeType)],
    text: digest(Buffer.from(mail.text.trimEnd())),
    original: digest(mail.attachments.find(a => a.mimeType === 'message/rfc822')?.content ?? []),
  }
})
