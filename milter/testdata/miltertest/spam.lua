-- Tagged mail is taken at its end and accepted unchanged; one that is given up in
-- the middle is not.
conn = mt.connect(socket)
if conn == nil then error("no connection") end
mt.conninfo(conn, "mail.example.com", "192.0.2.1")
for i = 1, 2 do
	mt.macro(conn, SMFIC_MAIL, "i", "spam" .. i)
	mt.mailfrom(conn, "<offer@example.com>")
	mt.rcptto(conn, "<user@example.org>")
	mt.header(conn, "Subject", "buy")
	mt.header(conn, "X-Spam-Flag", "YES")
	mt.eoh(conn)
	if mt.getreply(conn) ~= SMFIR_CONTINUE then error("tagged mail was let go at the end of its header") end
	if i == 1 then
		mt.abort(conn)
	else
		mt.bodystring(conn, "now\r\n")
		if mt.getreply(conn) ~= SMFIR_CONTINUE then error("body reply") end
		mt.eom(conn)
		if mt.getreply(conn) ~= SMFIR_ACCEPT then error("eom reply") end
		if mt.eom_check(conn, MT_HDRADD, "Spamreport-Seal") then error("sealed without being told to") end
	end
end
mt.disconnect(conn)
