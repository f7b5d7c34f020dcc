-- Ordinary mail is let go at the end of its header, several times a session.
conn = mt.connect(socket)
if conn == nil then error("no connection") end
if mt.conninfo(conn, "mail.example.com", "192.0.2.1") ~= nil then error("conninfo") end
if mt.getreply(conn) ~= SMFIR_CONTINUE then error("conninfo reply " .. mt.getreply(conn)) end
for i = 1, 3 do
	mt.macro(conn, SMFIC_MAIL, "i", "ham" .. i)
	if mt.mailfrom(conn, "<friend@example.net>") ~= nil then error("mailfrom") end
	if mt.getreply(conn) ~= SMFIR_CONTINUE then error("mailfrom reply") end
	if mt.rcptto(conn, "<user@example.org>") ~= nil then error("rcptto") end
	if mt.getreply(conn) ~= SMFIR_CONTINUE then error("rcptto reply") end
	if mt.header(conn, "Subject", "lunch") ~= nil then error("header") end
	if mt.getreply(conn) ~= SMFIR_CONTINUE then error("header reply") end
	if mt.eoh(conn) ~= nil then error("eoh") end
	if mt.getreply(conn) ~= SMFIR_ACCEPT then error("ham was not let go at the end of its header") end
end
mt.disconnect(conn)
