-- The report address refuses strangers and takes a user's message, which is then
-- dropped: it has done its work.
conn = mt.connect(socket)
if conn == nil then error("no connection") end
mt.conninfo(conn, "mail.example.com", "192.0.2.1")
mt.mailfrom(conn, "<a@example.com>")
mt.rcptto(conn, "<report@example.org>")
if mt.getreply(conn) ~= SMFIR_REPLYCODE then error("a stranger was not refused") end
mt.abort(conn)
mt.macro(conn, SMFIC_MAIL, "{auth_type}", "PLAIN", "{auth_authen}", "fred")
mt.mailfrom(conn, "<fred@example.org>")
mt.rcptto(conn, "<report@example.org>")
if mt.getreply(conn) ~= SMFIR_CONTINUE then error("a user was refused") end
mt.header(conn, "From", "fred@example.org")
mt.header(conn, "To", "report@example.org")
mt.header(conn, "Content-Type", "multipart/mixed; boundary=b")
mt.eoh(conn)
if mt.getreply(conn) ~= SMFIR_CONTINUE then error("eoh reply") end
mt.bodystring(conn, "--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: w@a.example\r\nSubject: won\r\n\r\nclick\r\n--b--\r\n")
mt.eom(conn)
if mt.getreply(conn) ~= SMFIR_DISCARD then error("eom reply") end
mt.disconnect(conn)
