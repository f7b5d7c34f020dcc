package reporter

import "regexp"

// language is how desks write in one language. All expressions are for folded texts.
type language struct {
	name string
	// open words make of what follows a condition, a promise, a guess or a question.
	open *regexp.Regexp
	// not undoes what follows.
	not     *regexp.Regexp
	sayings []saying
}

// What English sayings are made of: who or what complaints are about, and what is done
// to it in the end.
const (
	enThing = `(?:accounts?|access|customers?|clients?|(?:end[ -]?)?users?|servers?|services?|(?:web ?)?sites?|domains?|hosts?|hosting|vps|ips?|address(?:es)?|machines?|systems?|instances?|subscribers?|senders?|spammers?|ports?|lines?|connections?|contents?|issues?|cases?|matters?|problems?|tickets?|incidents?|complaints?|reports?|requests?|abuse|infections?|malware|scripts?|vms?|nodes?|containers?|offenders?|tenants?|resellers?|pages?|urls?|links?|activity|source|devices?|computers?|modems?|routers?|vulnerabilit(?:y|ies)|forms?|relays?|campaigns?|credentials|passwords?|keys?|projects?|spam|traffic|infrastructure|party|person|individual|company|organi[sz]ation|phishing|virus|botnet|it|this|that|they|these|those|he|she)`
	enDone  = `(?:suspended|terminated|disabled|deactivated|blocked|banned|shut ?(?:down|off)|taken (?:down|off-?line)|cancell?ed|closed|locked|removed|deleted|resolved|solved|fixed|cleaned(?: up)?|remediated|mitigated|secured|patched|null-? ?routed|black-? ?holed|quarantined|isolated|disconnected|stopped|kicked(?: off| out)?|expelled|dealt with|rectified|evicted|off-?boarded|discontinued|wiped|reset|reinstalled|re-?imaged|disinfected|neutrali[sz]ed|eliminated|powered (?:off|down)|turned off|switched off|cut off|revoked|destroyed|taken off the (?:network|internet|net)|put on (?:client ?)?hold|pulled|killed|erased|purged|sink-? ?holed)`
	enAdv   = `(?: (?:now|already|since|just|also|both|all|today|subsequently|therefore|thus|hereby|[a-z]{3,12}ly))*`
	enNet   = `(?:networks?|ranges?|ips?|ip space|ip address(?:es)?|address(?:es)?(?: space)?|space|blocks?|prefix(?:es)?|subnets?|as|asn|as ?[0-9]+|systems?|servers?|infrastructure|platform|equipment|data ?cent(?:er|re)s?|control|management|administration|customers?|clients?|users?|hosting|domains?|company|organi[sz]ation|allocations?|jurisdiction|services?|ownership)`
	enCase  = `(?:tickets?|cases?|reports?|requests?|complaints?|inquir(?:y|ies)|incidents?)`
	// enUs is what servers and filters say about our own mail, and desks about papers.
	enUs = `\byour (?:ips?|ip address|e-?mails?|mails?|messages?|servers?|hosts?|domains?|networks?|address|access|connection|attachment|account|subscription|password|mail ?box|inbox)\b|\brecipients?\b|\b(?:messages?|e-?mails?|mails?) (?:that )?you (?:have )?sent|\b(?:the|this|following|an?|some) (?:messages?|e-?mails?|attachments?|files?)\b|\b(?:this|the) (?:e-?mail (?:account|address)|mail ?box|inbox)\b|\bquarantine|unsubscri|mailing list|from (?:our|the|this) list|(?:no|without|lack of|missing|insufficient|not enough) (?:\w+ )?(?:response|reply|answer|evidence|information|logs?|details|data|headers?)|duplicate|inactivity|as invalid|out of scope|re-?activat\w+|re-?enabled|unsuspended|unblocked|active again|re-?instated|(?:blocked|listed) (?:by|at|on|in) (?:spamhaus|spamcop|google|microsoft|gmail|outlook|barracuda|proofpoint|you\b|\S*(?:rbl|bl\b))|\b(?:who|that|which) (?:has|have|had|was|were) been\b|\bpreviously\b|in the past|\b(?:once|twice|(?:several|many|[0-9]+) times)\b`
	// enClosed is the end of a case, of which the reason may be that nothing was done.
	enClosed = `\b` + enCase + `\b.{0,60}?\b(?:(?:has|have)(?: now| since| already)* been|was|were|is|are)(?: now)? closed\b|\bclosed (?:the|this|that|your|our) (?:\S+ ){0,2}?` + enCase + `\b`
	enRule   = `\b(?:any|every|each|such|most|usually|normally|typically|generally|violat\w*|found to|policy|policies|polic\w+|procedure|in case|investigat\w+ and)\b`
)

// languages are those in which desks were seen to write. Better no meaning than a wrong
// one: what is missed is read by a person. A row is tried on any text, its words are
// enough to know the language.
var languages = []language{
	{name: "English",
		open: phrase(`\b(?:if|whether|once|when|whenever|until|till|unless|may|might|could(?: [^n]| n[^o]|$)|can(?: [^n]| n[^o]|$)|perhaps|possibly|maybe|in case|as soon as|assuming|pending|please (?:confirm|check|verify|ensure|make sure)|in order to|so that|suspect)\b|\?`),
		not:  phrase(`\b(?:not|never|cannot|unable|nor|neither|nothing|nobody|none|without|fail(?:ed|s)? to|refus\w+ to|decline[ds]?|will|would|shall|should|must|before|after (?:the|our|his|a) (?:customer|account|user|client|server|site)|hope|hopefully|think|assum\w+|guess|suppose|understand|claim\w*|believed?|expect\w*|presum\w+|seems?|appears?|allegedly|supposedly|says?|no (?:accounts?|customers?|users?|servers?|actions?|steps|measures|issues?))\b|n't\b|'ll\b`),
		sayings: []saying{
			{kind: ReplyNotOurs, says: phrase(`\b(?:is|are|was|were|am)(?: (?:definitely|currently|actually|certainly|clearly|also))? ?(?:not|n't|no longer|never)(?: (?:currently|actually|even|one|any|longer))* (?:ours\b|(?:in|on|within|inside|from|part of|a part of|under|hosted|owned|managed|controlled|operated|assigned|allocated|announced|registered|routed|administered|provided|delegated|served|used|run|coming|originating)(?: (?:in|on|by|with|at|to|from|within|under|of))*(?: any of)? (?:us\b|ours\b|one of ours\b|our company|(?:our|my) (?:\S+ ){0,3}?(?:` + enNet + `|responsibility)\b)|(?:a |an |any )?(?:one )?(?:of )?our (?:\S+ ){0,2}?` + enNet + `\b)`), unless: phrase(`customer (?:service|support|care)|\blist\b`)},
			{kind: ReplyNotOurs, says: phrase(`\b(?:does|do|did) ?(?:not|n't) (?:appear to |seem to |actually |currently )?(?:belong|relate|pertain|originate|come|resolve|correspond|be|fall|reside)(?: (?:to|from|in|on|within|under|with|at|part of))* (?:us\b|our\b|ours\b|any of our\b)|\b(?:no longer|not) belongs? to (?:us|our)\b`)},
			{kind: ReplyNotOurs, says: phrase(`\b(?:we|our (?:company|organi[sz]ation)) ?(?:are|is|do|does|have|were|can|'ve)(?: ?n't| ?not| no| never)(?: \w+){0,4}? (?:responsible for|own(?:ers?)?|operators?|operate|manage|host|hosting|control|controlling|providers?|provide|announce|administer|route|authority|charge of|contacts?|isp|registrant|jurisdiction|use)\b.{0,30}\b(?:this|that|the|these|those|said|over|of|for) (?:\w+ ){0,2}(?:ips?|address(?:es)?|networks?|range|block|domains?|servers?|hosts?|systems?|websites?|sites?|machine|prefix|subnet|asn|user|customer|client|isp)\b`)},
			{kind: ReplyNotOurs, says: phrase(`\b(?:ips?|address(?:es)?|block|range|network|prefix|subnet|space|it|domain)\b.{0,60}\b(?:has|have|was|were)(?: since| now| already| been| recently)* (?:re-?assigned|transferred|re-?allocated|sub-?allocated|delegated|sold|leased|sub-?leased|returned) (?:to|back)\b`), unless: phrase(`\b(?:to|by) (?:our|one of our|an?) (?:customer|client|user)`)},
			{kind: ReplyNotOurs, says: phrase(`\b(?:belongs?|is (?:owned|operated|managed|hosted|announced|used)|are (?:owned|operated|managed|hosted|announced)|assigned|allocated|registered)\b (?:to|by|with|at) (?:an ?other|a different|someone else|somebody else|a third|other)\b|\b(?:you (?:have |'ve )?(?:contacted|reached|written to|reported (?:this )?to|e-?mailed)|this is|we are) the wrong\b|\bwrong (?:abuse (?:desk|contact|team|department)|isp|provider|network|company|contact|recipient)\b|\bnot (?:the )?(?:right|correct|proper|appropriate) (?:abuse )?(?:contact|address|desk|department|team|party|place|isp|provider|network)\b`)},
			{kind: ReplyNotOurs, says: phrase(`\b(?:can ?not|could not|couldn't|can't|unable to|did not|didn't) (?:find|locate|identify|match|see) (?:this|the|that|your|any|said)?.{0,40}\b(?:ips?|address|domain|range)\b.{0,40}\b(?:in|within|among|on|as) (?:any of )?our (?:networks?|ranges?|systems?|customers?|ip|address|allocations?)\b|\b\b(?:customer|client|user|ip|address|server)s? of ours\b|\bwe are\b.{0,60}\bnot (?:the|their|its) (?:hosting|host|isp|provider|owner|operator|registrant|sender|network)|\boutside (?:of )?(?:our|of our) (?:network|range|control|responsibility|address|ip|jurisdiction|scope|area)\b|\bnot (?:one of )?our (?:ips?|networks?|customers?|clients?|range|servers?|users?|domains?)\b|^(?:this is |it's |it is )?not ours\b|\bnot one of ours\b|\b(?:contact|owner|operator|provider)\b.{0,40}\bis not us\b`), unless: phrase(`customer (?:service|support|care)`)},
			{kind: ReplyUseForm, says: phrase(`\b(?:please|pls|must|only|have to|has to|need to|needs to|kindly|should|required to|ask(?:ed)? (?:that )?you|to (?:report|submit|file)|can|you may|want to|preferred)\b.{0,120}\b(?:use|using|fill|filling|complete|completing|submit|submitted|submitting|via|through|visit|go to|goto|file|filed|report|reported|made|sent|follow|access)\b.{0,120}(?:\b(?:web ?-?forms?|(?:online|abuse|reporting|report|contact|complaint|complaints|web|submission|incident|this|our|following|dedicated)(?: \w+)? forms?|forms? (?:at|on|under|here|below|provided|located|available)|(?:fill\w* (?:out|in)|complet\w+|using|use) (?:the|our|this) forms?|(?:abuse |reporting |report |customer |web )?portal|reporting (?:page|tool|site|system)|abuse page)\b|\bform[: ]+https?:)`), unless: enOtherUse},
			{kind: ReplyUseForm, says: phrase(`\b(?:report|(?:re-?)?submit|file|(?:re-?)?send|lodge)\b.{0,80}\b(?:abuse|complaints?|reports?|spam|incidents?|this|it)\b.{0,60}\b(?:at|via|through|on|using|visit|here|to|by)\b:? ?(?:<|\()?https?://|\b(?:complaints?|reports?|notifications?|notices?)\b.{0,60}\b(?:made|submitted|filed|sent|reported|lodged|directed|addressed)\b.{0,30}https?://|\breport\b.{0,30}\b(?:here|at|via)\b.{0,10}https?://|\b(?:visit|go to|use|see)\b.{0,10}https?://\S+ (?:and|to)\b.{0,40}\b(?:form|report|complaint|abuse)\b|\blink\b.{0,20}\bto (?:report|submit|file)\b`), unless: enOtherUse},
			{kind: ReplyUseForm, says: phrase(`\b(?:this|that|the|our) (?:abuse )?(?:mail ?box|(?:e-?mail )?(?:address|account)|e-?mail|inbox|alias)\b.{0,60}\b(?:is|has been) ?(?:not|n't|no longer|un|never)(?: being| actively| regularly| longer)* ?-?(?:monitored|read|attended|used|in use|accept\w*|checked|manned|processed|supported|for)\b|\S+@\S+ is (?:not|no longer) (?:being )?(?:monitored|read|used|in use|valid)\b|\bunmonitored (?:mail ?box|e-?mail|address|inbox|account)\b|\b(?:mail ?box|inbox|address) is unattended\b`), unless: enNoReply},
			{kind: ReplyUseForm, says: phrase(`\b(?:no longer|not|n't|only|exclusively)(?: be| being)? (?:accept|process|handle|review|read|take|receive|act (?:up)?on|consider)\w*\b.{0,60}\b(?:reports?|complaints?|notices?|submissions?|notifications?|requests?|e-?mails?)\b.{0,60}\b(?:by|via|through|sent|from|in|using|on) (?:e-?mail|mail|this|to this|our|the|a|https?)\b|\b(?:reports?|complaints?|e-?mails?|messages?)\b.{0,40}\b(?:sent |submitted |received )?(?:to|by|via|at) (?:this|e-?mail|our)\b.{0,40}\b(?:are|is|will|can|be)(?: be)? ?(?:not|no longer|n't|never|neither)(?: be)? (?:be )?(?:read|processed|reviewed|monitored|accepted|answered|handled|investigated|actioned|considered|seen)\b`), unless: enNoReply},
			{kind: ReplyResolved, says: phrase(`\b` + enThing + `\b.{0,80}?\b(?:has|have)` + enAdv + ` been` + enAdv + ` (?:[a-z]+ (?:and|&) )?` + enDone + `\b`), unless: phrase(enUs + `|` + enClosed)},
			{kind: ReplyResolved, says: phrase(`\b` + enThing + `\b.{0,80}?\b(?:was|were|got|is now|are now|is already)` + enAdv + ` ` + enDone + `\b`), unless: phrase(enUs + `|` + enRule + `|` + enClosed)},
			{kind: ReplyResolved, says: phrase(`\b(?:the|this|that|his|her|their|its|your|our|said) (?:[a-z0-9.-]+ ){0,4}?` + enThing + ` (?:[a-z0-9.-]+ ){0,4}?(?:is|are)` + enAdv + ` ` + enDone + `\b`), unless: phrase(enUs + `|` + enRule + `|` + enClosed)},
			{kind: ReplyResolved, says: phrase(`\b(?:and|we|i|they|he|she|(?:our|the|my|this) (?:\w+ )?(?:team|staff|customers?|clients?|engineers?|admins?|administrators?|noc|techs?|technicians?|users?|owner|subscriber|department|colleagues?|isp|provider))(?:(?: have| has|'ve| had)? ?` + enAdv + `) (?:and )?` + enDone + `(?: (?:down|off|up|out|offline))? (?:the|this|that|these|those|your (?:ticket|complaint|report|case|issue|request)|his|her|their|its|our|all|said|an?|both|it|them|him|port|outbound|access|offending|service|customer|user|account|infected|spam)\b`), unless: phrase(enUs + `|` + enClosed)},
			{kind: ReplyResolved, says: phrase(`\b(?:we|i|they|our \w+|the (?:customer|client|user|owner|admin\w*))(?: have| has|'ve| had)?` + enAdv + ` (?:took|taken|take|pulled|turned|switched|kicked|knocked|shut|brought) .{1,60}\b(?:off-?line|down|off)\b|\b(?:took|taken) (?:the )?(?:appropriate|necessary|corrective|required|proper|immediate|suitable|needed|according) (?:\w+ )?(?:actions?|measures|steps)\b|\b(?:actions?|measures|steps) (?:has|have|was|were)` + enAdv + ` (?:been )?` + enAdv + ` ?taken\b`), unless: phrase(`take (?:this|your|these|all|spam|abuse)`)},
			{kind: ReplyResolved, says: phrase(`\b(?:issue|problem|matter|case|incident|concern|ticket|abuse) (?:(?:has|have) been|was|is now) (?:addressed|handled|taken care of|sorted(?: out)?|completed|settled)\b|\bstatus(?: of (?:your|this|the) \w+)?(?: is| was|:| changed to| has been (?:changed|set|updated) to| set to| updated to)*:? ?"?(?:resolved|solved|closed|completed|fixed|done)\b|\b(?:marked|closed|set|flagged) (?:it |this |the ticket |your (?:ticket|request) )?as (?:resolved|solved|fixed|complete|completed|done)\b`), unless: phrase(enUs + `|` + enRule)},
			{kind: ReplyResolved, says: phrase(`^(?:(?:hi|hello|hey|thanks?|thank you|ok(?:ay)?|all)\W+)*(?:(?:the |this |that |your )?(?:[a-z0-9.:/-]+ ){0,3}?` + enThing + ` ` + enDone + `(?: (?:now|today|immediately|permanently|already|yesterday))?(?:[,;:-].*|\W*)$|(?:now |already |all )?(?:done|resolved|fixed|solved|terminated|suspended|killed|nuked|blocked|banned|shut down|sorted|taken care of)(?:[,;:-] .*|\W*)$|` + enDone + ` (?:the|this|that|his|her|their) )`), unless: phrase(enUs + `|` + enClosed)},
			{kind: ReplyResolved, says: phrase(enClosed + `|^case closed`), unless: phrase(enUs + `|` + enRule), nowhere: enUnfounded},
			{kind: ReplyResolved, says: phrase(`\b(?:accounts?|servers?|(?:web ?)?sites?|customers?|users?|services?|vps|machine)\b (?:\S+ ){0,3}?(?:is|are) no longer (?:active|online|reachable|accessible|live|operational|infected|compromised|spamming|sending)\b`), unless: phrase(`mail ?box|\bhere\b`)},
		}},
	{name: "German",
		open: phrase(`\b(?:wenn|falls|sofern|sobald|ob|sollten?|konnte|konnten|kann|konnen|bitte prufen|moglicherweise|eventuell|vielleicht|bis|bevor|nachdem sie)\b|\?`),
		not:  phrase(`\b(?:wird|werden|nicht|nie|niemals|hoffe\w*|denke\w*|vermut\w*|angeblich|kein|keine|keinen|keinem|keiner|weder|ohne)\b`),
		sayings: []saying{
			{kind: ReplyNotOurs, says: phrase(`\bnicht (?:mehr )?(?:in |aus |zu |bei |von |teil |im |unter |durch )*(?:unser\w* (?:\S+ )?(?:\w*netz\w*|ip\w*|\w*adress\w*|\w*kund\w*|\w*server\w*|verantwort\w*|zustandig\w*|\w*bereich\w*|\w*system\w*|haus\w*|rechenzentrum|range|domain\w*|\w*block|as|bestand|besitz|verwaltung|hand)|uns\b)|\b(?:dafur|hierfur|fur (?:diese|die|das|den|dieses|diesen)\b.{0,40}) (?:sind wir )?(?:leider )?nicht (?:zustandig|verantwortlich)|\bsind (?:wir )?(?:leider )?(?:hierfur |dafur )?nicht (?:mehr )?(?:der |die )?(?:zustandig\w*|verantwortlich\w*|richtige\w*|betreiber|inhaber|eigentumer)|\bkeine? (?:unserer|ip-?adressen? von uns|kunden? von uns)|\b(?:falsche\w*) (?:ansprechpartner|abteilung|adresse|provider|empfanger)`), unless: phrase(`nicht (?:\w+ )?(?:unser\w*|uns) (?:bei|melden|antworten|kontakt)|uns nicht (?:moglich|gemeldet)|nicht bei uns (?:gemeldet|melden)`)},
			{kind: ReplyUseForm, says: phrase(`\b(?:bitte|ausschliesslich|nur|nutzen|verwenden|benutzen|uber)\b.{0,120}(?:\b(?:web|kontakt|melde|online|abuse|beschwerde)?-?formular|\bportal\b)`), unless: phrase(`\b(?:status|bewert\w*|umfrage|login|rechnung\w*)\b`)},
			{kind: ReplyUseForm, says: phrase(`\b(?:postfach|mailbox|adresse|e-?mail-?adresse|mails?|nachrichten)\b.{0,60}\b(?:wird|werden) (?:leider )?(?:nicht|nicht mehr|niemals) (?:mehr )?(?:gelesen|uberwacht|bearbeitet|betreut|abgerufen|beantwortet|verwendet|genutzt)|\bbitte\b.{0,30}\bmelden\b.{0,60}\b(?:uber|unter|auf|via)\b.{0,10}https?://`), unless: phrase(`\b(?:automatisch|antwort\w*)\b`)},
			{kind: ReplyResolved, says: phrase(`\b(?:kunden?|accounts?|(?:benutzer|mail|kunden)?kontos?|konten|(?:v|root|kunden)?-?servers?|zugang|zugange|nutzer|absender|domains?|web(?:seite|site)|seiten?|ip|ip-?adresse|adresse|anschluss|rechner|dienst|problem|vorfall|fall|ticket|anfrage|system|vertrag|inhalte?|formular|skript|postfach|angelegenheit|thema|ursache|\w*versand|lucke|webspace|instanz|vm|verursacher|versender|er|sie|es|dieser|diese|dieses|das)\b.{0,100}\b(?:wurden?|ist|sind|haben|worden|hat|habe)\b.{0,100}\b(?:gesperrt|abgeschaltet|deaktiviert|behoben|gelost|gekundigt|bereinigt|vom netz genommen|geschlossen|erledigt|entfernt|blockiert|geloscht|stillgelegt|suspendiert|abgestellt|offline genommen|getrennt|unterbunden|beseitigt|isoliert|abgeklemmt)`), unless: phrase(`\bihre (?:mail|nachricht|ip|e-?mail|adresse)`)},
			{kind: ReplyResolved, says: phrase(`\b(?:wir|ich) (?:haben|habe)\b.{0,120}\b(?:gesperrt|abgeschaltet|deaktiviert|behoben|gelost|gekundigt|bereinigt|vom netz genommen|geschlossen|entfernt|blockiert|geloscht|stillgelegt|suspendiert|abgestellt|getrennt|unterbunden|die (?:notigen|notwendigen|erforderlichen|entsprechenden) (?:massnahmen|schritte) (?:ergriffen|eingeleitet|unternommen|veranlasst))|^(?:ist )?(?:erledigt|behoben|gesperrt|gelost)\W*$|\bhaben (?:wir )?.{0,100}\b(?:gesperrt|abgeschaltet|deaktiviert|vom netz genommen|blockiert|geloscht|stillgelegt)`), unless: phrase(`\bihre (?:mail|nachricht|ip|e-?mail|adresse)`)},
		}},
	{name: "French",
		open: phrase(`\b(?:si|s'il|lorsque|lorsqu'|des que|quand|une fois|pourrait|pourra|afin|avant|jusqu|va etre|vont etre|sauf|veuillez verifier)\b|\?`),
		not:  phrase(`\b(?:sera|seront|serait|ne|n'|pas|aucune?|jamais|sans|ni)\b|\bn'`),
		sayings: []saying{
			{kind: ReplyNotOurs, says: phrase(`\b(?:n'est|n'etait|ne sont|n'appartient|n'appartiennent|ne fait|ne font|ne provient|ne depend|ne releve|n'est plus|ne se trouve|n'emane)\b (?:pas|plus)\b.{0,50}\b(?:nous|notre|nos|chez nous)\b|\bne nous appart\w+ pas\b|\bnous ne (?:sommes|gerons|hebergeons|possedons) (?:pas|plus)\b.{0,30}\b(?:responsables?|proprietaires?|en charge|gestionnaires?|cette (?:ip|adresse)|ce (?:serveur|domaine|site))`)},
			{kind: ReplyUseForm, says: phrase(`\b(?:veuillez|merci de|utiliser|utilisez|remplir|remplissez|via|uniquement|priere de)\b.{0,120}\b(?:formulaire|portail)\b`), unless: phrase(`\b(?:suivi|statut|desabonn\w*)\b`)},
			{kind: ReplyUseForm, says: phrase(`\b(?:boite|adresse|messagerie)\b.{0,60}\b(?:n'est|n'etant)\b (?:pas|plus) (?:consultee?|lue?|relevee?|surveillee?|utilisee?)`), unless: phrase(`\b(?:automatique\w*|repond\w*)\b`)},
			{kind: ReplyResolved, says: phrase(`\b(?:comptes?|clients?|serveurs?|sites?|domaines?|abonnes?|utilisateurs?|ip|adresses?|services?|problemes?|incidents?|tickets?|dossiers?|demandes?|acces|machines?|lignes?|contenus?|vps|il|elle|celui-ci)\b.{0,60}\b(?:a|ont|est|sont|ete|vient d'etre)\b.{0,40}\b(?:suspendue?s?|bloquee?s?|desactivee?s?|resiliee?s?|fermee?s?|resolue?s?|clos|close|cloturee?s?|coupee?s?|supprimee?s?|traitee?s?|corrigee?s?|nettoyee?s?|bannie?s?|retiree?s?|isolee?s?|arretee?s?|eteinte?s?|mise?s? hors ligne)\b|\b(?:nous avons|j'ai)\b (?:\w+ ){0,3}?(?:suspendu|bloque|desactive|resilie|ferme|resolu|cloture|coupe|supprime|nettoye|banni|retire|pris les mesures|procede a la (?:suspension|coupure|fermeture))`), unless: phrase(`\bvotre (?:message|mail|e-?mail|ip|adresse|serveur)\b`)},
		}},
	{name: "Spanish",
		open: phrase(`\b(?:si|cuando|una vez|podria|podra|hasta|antes de|en caso|en cuanto|va a ser|salvo|procederemos)\b|\?`),
		not:  phrase(`\b(?:sera|seran|seria|no|ni|nunca|ninguna?|sin)\b`),
		sayings: []saying{
			{kind: ReplyNotOurs, says: phrase(`\bno (?:pertenecen?|es|son|esta|estan|corresponden?|forman? parte|se encuentran?|proviene|depende)\b.{0,50}\b(?:nuestr[oa]s?|nosotros)\b|\bno somos (?:los )?(?:responsables?|propietarios?|titulares|administradores)\b`)},
			{kind: ReplyUseForm, says: phrase(`\b(?:por favor|utilice|utilizar|use|rellene|complete|completar|mediante|a traves|unicamente|debe|deben)\b.{0,120}\b(?:formulario|portal)\b`), unless: phrase(`\b(?:estado|seguimiento|encuesta)\b`)},
			{kind: ReplyUseForm, says: phrase(`\b(?:buzon|direccion|cuenta|casilla|correo)\b.{0,60}\bno (?:es|esta|sera|son) (?:\w+ )?(?:monitoread[oa]|supervisad[oa]|atendid[oa]|leid[oa]s?|revisad[oa])`), unless: phrase(`\b(?:automatic\w*|responda?)\b`)},
			{kind: ReplyResolved, says: phrase(`\b(?:cuentas?|clientes?|servidor(?:es)?|sitios?|dominios?|usuarios?|ip|direccion(?:es)?|servicios?|problemas?|incidentes?|casos?|tickets?|incidencias?|equipos?|lineas?|contenidos?|pagina|vps)\b.{0,60}\b(?:ha|han|fue|fueron|esta|quedo|queda|sido)\b.{0,40}\b(?:suspendid[oa]s?|bloquead[oa]s?|desactivad[oa]s?|cancelad[oa]s?|cerrad[oa]s?|resuelt[oa]s?|eliminad[oa]s?|solucionad[oa]s?|dad[oa]s? de baja|limpiad[oa]s?|desconectad[oa]s?|retirad[oa]s?|corregid[oa]s?|apagad[oa]s?|aislad[oa]s?)\b|\b(?:hemos|he|se ha)\b (?:\w+ ){0,3}?(?:suspendido|bloqueado|desactivado|cancelado|cerrado|resuelto|eliminado|solucionado|dado de baja|procedido a (?:suspender|bloquear|cerrar|eliminar|desactivar)|tomado las medidas)`), unless: phrase(`\bsu (?:mensaje|correo|ip|direccion|servidor)\b`)},
		}},
	{name: "Italian",
		open: phrase(`\b(?:se|quando|una volta|potrebbe|potra|fino|prima di|qualora|nel caso|appena|provvederemo)\b|\?`),
		not:  phrase(`\b(?:verra|verranno|sara|saranno|sarebbe|non|ne|mai|nessun\w*|senza)\b`),
		sayings: []saying{
			{kind: ReplyNotOurs, says: phrase(`\bnon (?:appartiene|appartengono|e|sono|fa parte|fanno parte|rientra|proviene|risulta)\b.{0,50}\b(?:nostr[oaie]|noi)\b|\bnon siamo (?:i )?(?:responsabili|proprietari|titolari|gestori)\b`)},
			{kind: ReplyUseForm, says: phrase(`\b(?:si prega|utilizzare|utilizzi|usare|compilare|compili|tramite|attraverso|esclusivamente|la preghiamo)\b.{0,120}\b(?:modulo|form|portale)\b`), unless: phrase(`\b(?:stato della|sondaggio)\b`)},
			{kind: ReplyResolved, says: phrase(`\b(?:account|clienti?|cliente|server|siti?|sito|domini?o?|utent[ei]|ip|indirizzo|servizi?o?|problem[ai]|incidente|caso|ticket|segnalazione|casella|linea|macchina|contenut[oi]|utenza)\b.{0,60}\b(?:e|sono|stat[oaie]|abbiamo)\b.{0,40}\b(?:sospes[oaie]|bloccat[oaie]|disattivat[oaie]|disabilitat[oaie]|cancellat[oaie]|chius[oaie]|risolt[oaie]|rimoss[oaie]|eliminat[oaie]|ripulit[oaie]|isolat[oaie])\b|\babbiamo (?:\w+ ){0,3}?(?:sospeso|bloccato|disattivato|disabilitato|chiuso|risolto|rimosso|eliminato|provveduto a (?:sospendere|bloccare|disattivare|chiudere)|preso (?:le misure|i provvedimenti))`), unless: phrase(`\b(?:sua|vostra) (?:e-?mail|mail)\b`)},
		}},
	{name: "Portuguese",
		open: phrase(`\b(?:se|quando|assim que|poderia|podera|ate|antes de|caso (?:o|a|voce|haja|seja)|vai ser|iremos)\b|\?`),
		not:  phrase(`\b(?:sera|serao|seria|nao|nem|nunca|nenhuma?|sem)\b`),
		sayings: []saying{
			{kind: ReplyNotOurs, says: phrase(`\bnao (?:pertencem?|e|sao|esta|estao|faz parte|fazem parte|corresponde|se encontra)\b.{0,50}\b(?:noss[oa]s?|nos|conosco)\b|\bnao somos (?:os )?(?:responsaveis|proprietarios|titulares|administradores)\b`)},
			{kind: ReplyUseForm, says: phrase(`\b(?:por favor|utilize|utilizar|use|preencha|preencher|atraves|por meio|somente|apenas)\b.{0,120}\b(?:formulario|portal)\b`), unless: phrase(`\b(?:status|pesquisa)\b`)},
			{kind: ReplyResolved, says: phrase(`\b(?:contas?|clientes?|servidor(?:es)?|sites?|dominios?|usuarios?|ip|enderecos?|servicos?|problemas?|incidentes?|casos?|chamados?|tickets?|maquina|conteudos?|acesso)\b.{0,60}\b(?:foi|foram|esta|estao|sido)\b.{0,40}\b(?:suspens[oa]s?|bloquead[oa]s?|desativad[oa]s?|cancelad[oa]s?|encerrad[oa]s?|fechad[oa]s?|resolvid[oa]s?|removid[oa]s?|solucionad[oa]s?|desligad[oa]s?|corrigid[oa]s?|banid[oa]s?)\b|\b(?:suspendemos|bloqueamos|desativamos|encerramos|removemos|resolvemos) (?:o|a|os|as|este|esta|esse|essa)\b|\btomamos as (?:medidas|providencias)`), unless: phrase(`\b(?:sua|seu) (?:mensagem|e-?mail|ip|endereco|servidor)\b`)},
		}},
	{name: "Dutch",
		open: phrase(`\b(?:als|indien|wanneer|zodra|kan|kunnen|mogelijk|totdat|voordat)\b|\?`),
		not:  phrase(`\b(?:zal|zullen|zou|zouden|wordt|niet|nooit|geen|noch|zonder)\b`),
		sayings: []saying{
			{kind: ReplyNotOurs, says: phrase(`\b(?:behoort|behoren|hoort|valt|vallen|is|zijn|staat|bevindt zich)\b (?:\w+ ){0,2}?(?:niet|geen) (?:meer )?(?:tot|in|onder|van|bij|binnen|aan|een|deel van)? ?(?:ons|onze|van ons)\b|\bniet van ons\b|\bzijn (?:wij )?(?:hiervoor |daarvoor )?niet verantwoordelijk voor (?:dit|deze|het) (?:ip|adres|netwerk|domein|server)`)},
			{kind: ReplyUseForm, says: phrase(`\b(?:gebruik|gebruiken|vul|invullen|via|alleen|uitsluitend|gelieve)\b.{0,120}\b(?:\w*formulier|portaal)\b`)},
			{kind: ReplyResolved, says: phrase(`\b(?:accounts?|klanten?|klant|servers?|sites?|website|domein(?:en)?|gebruikers?|ip|adres|dienst|probleem|incident|zaak|ticket|melding|verbinding|pagina|vps)\b.{0,60}\b(?:is|zijn|werd|werden|hebben|heeft)\b.{0,60}\b(?:geblokkeerd|afgesloten|opgeschort|uitgeschakeld|gedeactiveerd|beeindigd|opgelost|verwijderd|gesloten|opgeschoond|offline gehaald|afgehandeld|verholpen)\b|\b(?:wij|we) hebben .{1,80}\b(?:geblokkeerd|afgesloten|opgeschort|uitgeschakeld|beeindigd|opgelost|verwijderd|offline gehaald|maatregelen genomen)\b`), unless: phrase(`\b(?:uw) (?:bericht|e-?mail|ip|adres|server)\b`)},
		}},
	{name: "Polish",
		open: phrase(`\b(?:jesli|jezeli|gdy|kiedy|po tym jak|moze|moga|czy|dopoki|zanim)\b|\?`),
		not:  phrase(`\b(?:zostanie|zostana|bedzie|beda|nie|nigdy|zaden|zadne|bez)\b`),
		sayings: []saying{
			{kind: ReplyNotOurs, says: phrase(`\bnie (?:nalezy|naleza|jest|sa|znajduje sie|pochodzi)\b.{0,50}\b(?:nas|nasz\w*|nami)\b|\bnie jestesmy (?:odpowiedzialni|wlascicielem|administratorem|operatorem)`)},
			{kind: ReplyUseForm, says: phrase(`\b(?:prosimy|prosze|skorzystac|skorzystaj|wypelnic|wypelnij|tylko|wylacznie|poprzez|za pomoca)\b.{0,120}\bformularz\w*`)},
			{kind: ReplyResolved, says: phrase(`\b(?:konto|konta|klient\w*|serwer\w*|stron\w*|domen\w*|uzytkownik\w*|adres\w*|uslug\w*|problem\w*|incydent\w*|spraw\w*|zgloszeni\w*|lacze|ip)\b.{0,60}\b(?:zostal[aoy]?|jest|sa)\b.{0,40}\b(?:zawieszon\w*|zablokowan\w*|wylaczon\w*|usuniet\w*|rozwiazan\w*|zamkniet\w*|odlaczon\w*|dezaktywowan\w*)|\b(?:zablokowalismy|zawiesilismy|wylaczylismy|usunelismy|odlaczylismy|rozwiazalismy|podjelismy (?:odpowiednie|stosowne) (?:dzialania|kroki))`), unless: phrase(`\b(?:panstwa|twoj\w*) (?:wiadomosc|adres|serwer)`)},
		}},
	{name: "Russian",
		open: phrase(`если|когда|после того|могут|может|возможно|ли\s|пока|\?`),
		not:  phrase(`(?:^|\s)(?:не|нет|ни|без|будет|будут)\s`),
		sayings: []saying{
			{kind: ReplyNotOurs, says: phrase(`не (?:принадлеж\S*|относ\S*|явля\S*|входит|входят|находит\S*|обслужива\S*)\s(?:.{0,80}\s)?(?:нам|наш\S*|нас|нами)|(?:^|\s)не (?:наш\S*)\s(?:адрес|сет|клиент|ip|сервер)|мы не (?:явля\S*|отвеча\S*|обслужива\S*)`)},
			{kind: ReplyUseForm, says: phrase(`(?:пожалуйста|просим|воспользуйтесь|используйте|заполните|только через|через).{0,150}форм[уыеой]`), unless: phrase(`статус|опрос`)},
			{kind: ReplyResolved, says: phrase(`(?:аккаунт|учетн\S* запис|клиент|сервер|сайт|домен|пользовател|адрес|услуг|проблем|инцидент|заявк|обращени|доступ|тикет|абонент|ящик).{0,80}(?:был[аои]?\s|^|\s)(?:заблокирован|приостановлен|отключен|удален|решен|закрыт|устранен|остановлен)|мы (?:уже )?(?:заблокировали|отключили|приостановили|удалили|устранили|приняли (?:необходимые )?меры)`), unless: phrase(`ваш\S* (?:сообщение|письмо|адрес|ip)`)},
		}},
	{name: "Japanese",
		open: phrase(`場合|でしょうか|予定|可能性|[?]`),
		not:  phrase(`未対応|できません|しておりません|ておりません`),
		sayings: []saying{
			{kind: ReplyNotOurs, says: phrase(`(?:弊社|当社|当方|弊センター).{0,60}(?:ではありません|ではございません|管理しておりません|管理下に(?:は)?(?:ありません|ございません)|管理外|所有しておりません|割り当てられておりません)`)},
			{kind: ReplyUseForm, says: phrase(`フォーム.{0,60}(?:ください|お願い|下さい|のみ)`)},
			{kind: ReplyResolved, says: phrase(`(?:アカウント|サーバ|サイト|お客様|ユーザ|契約|問題|通信|ip|アドレス|サービス).{0,80}(?:停止|遮断|削除|無効化|解決|凍結|切断|解約)(?:いたしました|致しました|しました|済み|されました)`)},
		}},
	{name: "Chinese",
		open: phrase(`如果|若|假如|将会|將會|将被|是否|可能|一旦|[?]`),
		not:  phrase(`未能|尚未|没有|沒有|无法|無法|还未|未被`),
		sayings: []saying{
			{kind: ReplyNotOurs, says: phrase(`(?:不属于|不屬於|不是|并非|並非|不在).{0,20}(?:我们|我司|本公司|我們|我公司)`)},
			{kind: ReplyUseForm, says: phrase(`(?:请|請).{0,60}(?:表单|表單|网页|網頁|在线举报|線上檢舉|表格)`)},
			{kind: ReplyResolved, says: phrase(`(?:账号|账户|帐号|帳號|服务器|伺服器|用户|用戶|客户|客戶|网站|網站|问题|問題|主机|主機|ip|域名|端口|服务).{0,40}(?:已|已经|已經|被)(?:经|經)?.{0,6}(?:暂停|暫停|封禁|封停|关闭|關閉|停用|停止|删除|刪除|解决|解決|处理完|屏蔽|封锁|封鎖|关停|处理|處理)|(?:我们|我司|我們)(?:已|已经|已經)(?:经|經)?.{0,10}(?:暂停|暫停|封禁|封停|关闭|關閉|停用|删除|刪除|解决|解決)`)},
		}},
}

// What in an English sentence makes a form one for something else, and a mailbox one
// that is not the desk's.
var (
	enOtherUse  = phrase(`\b(?:track|status|progress|follow(?:ing)? up|log ?in|update your|rate|survey|feedback|copyright|dmca|trademark|legal|law enforcement|subpoena|billing|sales|technical support|more information|learn more|further information|additional|privacy|terms|also|alternatively|view your|reply to this|unsubscribe)\b`)
	enUnfounded = phrase(`\b(?:no (?:violation|evidence|abuse|action|sign|response|reply|logs?)|(?:does|do|did|is|was|could|can|were)(?: ?not|n't) (?:violat\w*|spam|abus\w*|a violation|verify|find|reproduce|confirm|able)|cannot|unable|insufficient|without (?:any |further )?action|new (?:one|ticket|report|case)|re-?submit|more (?:information|details)|duplicate|unfounded|false positive|not ours?|rejected|invalid)\b`)
	enNoReply   = phrase(`\b(?:reply|replies|respond|responses|automated|automatic(?:ally)?|auto-?generated|outgoing|notification)\b`)
)
