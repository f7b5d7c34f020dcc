// Reads the reports of XARF 4 in mails with ajv, and their evidence.
const crypto = require('crypto')
const fs = require('fs')
const path = require('path')
const Ajv = require('ajv/dist/2020').default
const addFormats = require('ajv-formats').default
const PostalMime = require('postal-mime')
const { digest, each } = require('./files.cjs')

const schema = name => JSON.parse(fs.readFileSync(path.join(__dirname, '../xarf', name)))
const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false, strictTypes: false })
addFormats(ajv, { mode: 'full' })
ajv.addSchema(schema('core.json'))
const validate = ajv.compile(schema('messaging-spam.json'))

each(async octets => {
  const mail = await PostalMime.parse(octets, { forceRfc822Attachments: true })
  const json = mail.attachments.find(a => a.mimeType === 'application/json')
  if (!json) return { fault: 'no report in JSON' }
  const report = JSON.parse(Buffer.from(json.content).toString())
  if (!validate(report)) return { fault: ajv.errorsText(validate.errors) }
  const [evidence] = report.evidence
  const original = Buffer.from(evidence.payload, 'base64')
  if (original.toString('base64') !== evidence.payload) return { fault: 'the payload is no strict base64' }
  if (evidence.hash !== 'sha256:' + crypto.createHash('sha256').update(original).digest('hex')) return { fault: 'the hash is another' }
  if (evidence.size !== original.length) return { fault: 'the size is another' }
  return {
    type: report.type, source: report.source_identifier, arrival: Date.parse(report.timestamp) / 1000,
    mailfrom: report.smtp_from, rcptto: report.smtp_to,
    original: digest(original),
  }
})
