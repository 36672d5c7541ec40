//! Status answers.

use wa_watchdog::dialect::{Heard, Pace, Route};
use wa_watchdog::engine::sample::{Answer, Failure, Reply};

use super::show::{BARE, check, poll, read, show};

#[test]
fn whatsapp_service_tells_two_flags() {
    check(
        "whatsapp-service",
        BARE,
        r#"
        200 {"connected":true,"hasQR":false,"timestamp":"2026-02-04T10:00:00.000Z"} => connected
        200 {"connected":false,"hasQR":true} => needs_scan
        200 {"connected":false,"hasQR":false} => connecting
        200 {"connected":true,"hasQR":true} => connected
        200 {"connected":"true","hasQR":"false"} => connected
        200 {"connected":true,"hasQR":false,"state":"connected"} => connected: connected
        200 {"connected":false,"hasQR":false,"state":"connecting"} => connecting: connecting
        200 {"connected":false,"hasQR":true,"state":"connecting"} => needs_scan: connecting
        200 {"connected":false,"hasQR":false,"state":"disconnected"} => disconnected: disconnected
        200 {"connected":null} => unknown
        200 {} => unknown
    "#,
    );
}

#[test]
fn whatsapp_service_is_read_at_health_and_qr_as_well() {
    check(
        "whatsapp-service",
        Route { status_path: Some("/health"), ..BARE },
        r#"
        200 {"status":"ok","whatsapp":{"ready":true,"hasQR":false}} => connected
        200 {"status":"ok","whatsapp":{"ready":false,"hasQR":false}} => connecting
        200 {"status":"ok","whatsapp":{"ready":false,"hasQR":true}} => needs_scan
        200 {"status":"ok","whatsapp":{"ready":false,"hasQR":false,"connectionState":"disconnected"}} => disconnected: disconnected
        200 {"status":"ok"} => unknown: ok
    "#,
    );
    check(
        "whatsapp-service",
        Route { status_path: Some("/qr"), ..BARE },
        r#"
        200 {"status":"connected","authenticated":true} => connected: connected
        200 {"status":"pending","qr":"2@AAAA,BBBB,CCCC","expiresIn":"120s"} => needs_scan: pending
        200 {"status":"initializing","message":"QR code not yet available"} => connecting: initializing
    "#,
    );
}

#[test]
fn richer_services_name_the_cause() {
    check(
        "whatsapp-service",
        BARE,
        r#"
        200 {"connected":false,"state":"CONFLICT"} => conflict: CONFLICT
        200 {"connected":true,"state":"Conflict"} => conflict: Conflict
        200 {"connected":false,"state":"close","lastDisconnect":{"statusCode":440,"message":"Stream Errored (conflict)"}} => conflict: close (440)
        200 {"connected":true,"state":"open","lastDisconnect":{"statusCode":440,"message":"Stream Errored (conflict)"}} => connected: open
        200 {"connected":false,"lastDisconnect":{"statusCode":440}} => conflict: 440
        200 {"state":"close","lastDisconnect":{"error":{"output":{"statusCode":"440"}}}} => conflict: close (440)
        200 {"connected":false,"state":"close","lastDisconnect":{"message":"Stream Errored (conflict)"}} => conflict: close (Stream Errored (conflict))
        200 {"connected":false,"state":"close","lastDisconnect":{"message":"Stream Errored (conflict: device_removed)"}} => logged_out: close (Stream Errored (conflict: device_removed))
        200 {"connected":false,"state":"close","lastDisconnect":{"statusCode":401,"message":"conflict"}} => logged_out: close (401)
        200 {"connected":false,"state":"close","lastDisconnect":{"statusCode":428}} => disconnected: close (428)
        200 {"connected":false,"state":"close","lastDisconnect":{"statusCode":515}} => disconnected: close (515)
        200 {"connected":false,"state":"close","lastDisconnect":{"statusCode":403}} => blocked: close (403)
        200 {"connected":false,"state":"close","lastDisconnect":{"statusCode":405}} => blocked: close (405)
        200 {"connected":false,"state":"TOS_BLOCK"} => blocked: TOS_BLOCK
        200 {"connected":false,"state":"DEPRECATED_VERSION"} => blocked: DEPRECATED_VERSION
        200 {"connected":false,"state":"UNPAIRED","lastDisconnectReason":"LOGOUT"} => logged_out: UNPAIRED (LOGOUT)
        200 {"connected":false,"state":"UNPAIRED"} => needs_scan: UNPAIRED
        200 {"connected":false,"hasQR":true,"state":"UNPAIRED"} => needs_scan: UNPAIRED
        200 {"connected":false,"hasQR":true,"lastDisconnect":{"statusCode":401}} => needs_scan
        200 {"connected":false,"state":"LOGOUT"} => logged_out: LOGOUT
    "#,
    );
}

#[test]
fn richer_services_name_the_steps_of_a_start() {
    check(
        "whatsapp-service",
        BARE,
        r#"
        200 {"connected":false,"state":"OPENING","loading":0} => connecting opening: OPENING [progress 0]
        200 {"connected":false,"state":"OPENING","lastDisconnectReason":"499"} => connecting opening: OPENING (499)
        200 {"connected":false,"state":"PAIRING","authenticated":true} => connecting pairing: PAIRING
        200 {"connected":false,"state":"CONNECTED","loading":99} => connecting linked: CONNECTED [progress 99]
        200 {"connected":false,"hasQR":true,"state":"CONNECTED"} => connecting linked: CONNECTED
        200 {"connected":false,"state":"TIMEOUT"} => connecting: TIMEOUT
        200 {"connected":false,"state":"UNLAUNCHED"} => connecting: UNLAUNCHED
        200 {"connected":false,"state":"SYNCING"} => connecting: SYNCING
        200 {"connected":false,"state":null} => connecting
        200 {"connected":false,"state":"HIBERNATING"} => unknown: HIBERNATING
        200 {"connected":true,"state":"SYNCING"} => connected: SYNCING
        200 {"connected":true,"state":"OPENING"} => connected opening: OPENING
        200 {"status":"ready"} => connected: ready
        200 {"status":"authenticated"} => connecting linked: authenticated
        200 {"status":"qr_ready"} => needs_scan: qr_ready
        200 {"status":"disconnected"} => disconnected: disconnected
        200 {"connected":true,"lastMessageAt":"2026-02-04T08:59:00Z","localHour":3} => connected [last message 2026-02-04T08:59:00.000Z, hour 3]
        200 {"connected":true,"lastMessageAt":1770195540,"localHour":24} => connected [last message 2026-02-04T08:59:00.000Z]
    "#,
    );
}

#[test]
fn an_answer_that_is_none_is_no_state() {
    for (name, _) in wa_watchdog::dialect::builtins() {
        check(
            name,
            BARE,
            r#"
            200 <html><body>Welcome</body></html> => no answer: answer is not JSON
            200 {"connected":tr => no answer: answer is not JSON
            200  => no answer: answer is not JSON
            204  => no answer: answer is not JSON
            301 <html>moved</html> => no answer: HTTP 301
            302  => no answer: HTTP 302
            400 {"message":"bad"} => no answer: HTTP 400
            422 {"message":"bad"} => no answer: HTTP 422
            408  => no answer: HTTP 408
            500 {"error":"x"} => no answer: HTTP 500
            502 <html>502 Bad Gateway</html> => no answer: HTTP 502
            503  => no answer: HTTP 503
            522 <html>522: Connection timed out</html> => no answer: HTTP 522
            403 {"message":"Forbidden"} => refused 403
            429 {"message":"Too Many Attempts.","retry_after":20} => throttled 20 s
            429 slow down => throttled
            200 {"success":false,"error":"some trouble"} => unknown: some trouble
            200 {"error":true,"message":"some trouble"} => unknown: some trouble
        200 [] => @
            200 "ok" => unknown
            200 17 => unknown
        "#,
        );
    }
}

#[test]
fn what_a_proxy_answers_is_no_missing_session() {
    for name in
        ["whatsapp-service", "waha", "evolution", "wwebjs-api", "wppconnect", "go-whatsapp", "openwa", "generic"]
    {
        let reply = read(name, BARE, 404, "404 page not found\n");
        assert_eq!(reply, Reply::NoAnswer(Failure::ServerError(404)), "{name}");
    }
    check(
        "whatsapp-service",
        BARE,
        r#"
        200 {"status":"error","whatsapp_service":"unavailable"} => no answer: HTTP 200
        200 {"connected":false,"service_status":"unknown","service_available":false} => no answer: HTTP 200
        200 {"status":"ok","whatsapp_service":"connected","whatsapp_ready":true,"has_qr":false} => connected
        404 <pre>Cannot GET /status</pre> => no answer: HTTP 404
        404 {"message":"Not Found"} => no answer: HTTP 404
    "#,
    );
}

#[test]
fn waha_is_read_with_its_engine_state() {
    let shop = Route { session: Some("shop"), status_path: None };
    check(
        "waha",
        shop,
        r#"
        200 {"name":"shop","status":"WORKING","me":{"id":"15550100@c.us"},"engine":{"engine":"WEBJS","WWebVersion":"2.3000.1","state":"CONNECTED"}} => connected: WORKING [version 2.3000.1, owner]
        200 {"name":"shop","status":"WORKING","engine":{"engine":"NOWEB"}} => connected: WORKING
        200 {"name":"shop","status":"working"} => connected: working
        200 {"name":"shop","status":"WORKING","engine":{"state":"CONFLICT"}} => conflict: WORKING (CONFLICT)
        200 {"name":"shop","status":"WORKING","engine":{"state":"UNPAIRED"}} => needs_scan: WORKING (UNPAIRED)
        200 {"name":"shop","status":"WORKING","engine":{"state":"OPENING"}} => connecting opening: WORKING (OPENING)
        200 {"name":"shop","status":"WORKING","engine":{"state":"PAIRING"}} => connecting pairing: WORKING (PAIRING)
        200 {"name":"shop","status":"WORKING","engine":{"state":"TOS_BLOCK"}} => blocked: WORKING (TOS_BLOCK)
        200 {"name":"shop","status":"STARTING","me":null} => connecting: STARTING [no owner]
        200 {"name":"shop","status":"SCAN_QR_CODE"} => needs_scan: SCAN_QR_CODE
        200 {"name":"shop","status":"SCAN_QR_CODE","engine":{"state":"UNPAIRED"}} => needs_scan: SCAN_QR_CODE (UNPAIRED)
        200 {"name":"shop","status":"SCAN_QR_CODE","engine":{"state":"CONNECTED"}} => connecting linked: SCAN_QR_CODE (CONNECTED)
        200 {"name":"shop","status":"FAILED"} => disconnected gave_up: FAILED
        200 {"name":"shop","status":"STOPPED"} => disconnected stopped: STOPPED
        200 {"name":"shop","status":"DREAMING"} => unknown: DREAMING
        404 {"message":"Session not found","error":"Not Found","statusCode":404} => missing: Session not found
        401 {"message":"Unauthorized"} => refused 401
    "#,
    );
    let list = Route { status_path: Some("/api/sessions?all=true"), ..shop };
    check(
        "waha",
        list,
        r#"
        200 [{"name":"a","status":"FAILED"},{"name":"shop","status":"WORKING"}] => connected: WORKING
        200 [{"name":"a","status":"FAILED"}] => missing: not among the 1 sessions listed
        200 [] => missing: not among the 0 sessions listed
    "#,
    );
    // Without all=true WAHA leaves stopped sessions out: one that is not listed may be stopped.
    check(
        "waha",
        Route { status_path: Some("/api/sessions"), ..shop },
        r#"
        200 [{"name":"shop","status":"STARTING"}] => connecting: STARTING
        200 [] => unknown: not in the list, which leaves some sessions out
    "#,
    );
    check(
        "waha",
        Route { status_path: Some("/api/sessions"), ..BARE },
        r#"
        200 [{"name":"default","status":"WORKING"}] => connected: WORKING
        200 [{"name":"a","status":"WORKING"},{"name":"b","status":"WORKING"}] => unknown: 2 sessions, none of them named here
    "#,
    );
}

#[test]
fn wasender_is_read_on_each_of_its_routes() {
    let by_id = Route { session: Some("16548"), status_path: None };
    let by_key = Route { session: None, status_path: Some("/status") };
    let list = Route { session: Some("16548"), status_path: Some("/whatsapp-sessions") };
    for (word, reply) in [
        ("connected", "connected"),
        ("CONNECTED", "connected"),
        ("connecting", "connecting"),
        ("need_scan", "needs_scan"),
        ("NEED_PASSKEY", "needs_scan"),
        ("disconnected", "disconnected idle"),
        ("logged_out", "logged_out"),
        ("expired", "expired"),
        ("error", "unknown"),
    ] {
        let expected = format!("{reply}: {word}");
        let element =
            format!(r#"{{"id":16548,"name":"shop","status":"{word}","api_key":"0123456789abcdef0123456789abcdef"}}"#);
        assert_eq!(show(&read("wasender", by_key, 200, &format!(r#"{{"status":"{word}"}}"#))), expected);
        assert_eq!(show(&read("wasender", by_id, 200, &format!(r#"{{"success":true,"data":{element}}}"#))), expected);
        let other = r#"{"id":1,"status":"connected"}"#;
        let both = format!(r#"{{"success":true,"data":[{other},{element}]}}"#);
        assert_eq!(show(&read("wasender", list, 200, &both)), expected);
    }
    check("wasender", list, r#"200 {"success":true,"data":[]} => missing: not among the 0 sessions listed"#);
    check(
        "wasender",
        by_id,
        r#"
        200 {"success":true,"data":null} => unknown
        200 {"success":false,"message":"Validation failed"} => unknown: Validation failed
        200 {"success":false,"error":"trouble"} => unknown: trouble
        429 {"message":"You have account protection enabled.","retry_after":3} => throttled 3 s
    "#,
    );
}

/// What `WasenderAPI` does not document must not matter: each variant gives the same reply.
#[test]
fn wasenders_open_points_do_not_change_the_reply() {
    let by_id = Route { session: Some("16548"), status_path: None };
    let text = r"No query results for model [App\\Models\\WhatsappSession] 16548";
    let missing = "missing: No query results for model [App\\Models\\WhatsappSession] 16548";
    for body in [
        format!(r#"{{"message":"{text}"}}"#),
        format!(r#"{{"success":false,"message":"{text}"}}"#),
        format!(r#"{{"success":false,"error":"{text}"}}"#),
        format!(r#"{{"error":{{"message":"{text}","statusCode":404}}}}"#),
        format!(r#"{{"message":"{text}","exception":"NotFoundHttpException","trace":[]}}"#),
    ] {
        assert_eq!(show(&read("wasender", by_id, 404, &body)), missing, "{body}");
    }
    for body in ["<html>Not Found</html>", "", "{}"] {
        assert_eq!(show(&read("wasender", by_id, 404, body)), "missing: HTTP 404", "{body}");
    }
    // A refused access token is our fault; a refused session key speaks about the session.
    for body in [r#"{"message":"Unauthenticated."}"#, r#"{"success":false,"message":"Invalid API key"}"#, "<html>", ""]
    {
        assert_eq!(show(&read("wasender", by_id, 401, body)), "refused 401");
        for path in ["/status", "/status/", "status"] {
            let by_key = Route { session: None, status_path: Some(path) };
            assert_eq!(show(&read("wasender", by_key, 401, body)), "refused 401 of the session", "{path}");
        }
    }
    for status in [500, 502, 503, 504, 520, 522, 524] {
        assert_eq!(read("wasender", by_id, status, "<html>"), Reply::NoAnswer(Failure::ServerError(status)));
    }
    for (retry_after, rate_limit_reset, body) in [
        (None, None, r#"{"message":"x","retry_after":45}"#),
        (Some("45"), None, ""),
        (Some("Wed, 04 Feb 2026 09:00:45 GMT"), None, "<html>"),
        (None, Some("45"), "{}"),
        (None, Some("1770195645"), "{}"),
    ] {
        let heard = Heard::Reply { status: 429, pace: Pace { retry_after, rate_limit_reset }, body: body.as_bytes() };
        assert_eq!(show(&poll("wasender", by_id, heard)), "throttled 45 s");
    }
}

#[test]
fn wasender_backend_swallows_errors() {
    check(
        "wasender-backend",
        BARE,
        r#"
        200 {"success":true,"data":{"status":"ready","meNumber":"+15550100","qrAvailable":false,"sessionId":"16548"}} => connected: ready
        200 {"success":true,"data":{"status":"authenticated","sessionId":16548}} => connecting linked: authenticated
        200 {"success":true,"data":{"status":"qr","qrAvailable":true,"sessionId":16548}} => needs_scan: qr
        200 {"success":true,"data":{"status":"disconnected","sessionId":"16548"}} => disconnected gave_up: disconnected
        200 {"success":true,"data":{"status":"auth_failure","sessionId":"16548"}} => logged_out: auth_failure
        200 {"success":true,"data":{"status":"unknown","meNumber":"+15550100","sessionId":"16548"}} => missing: unknown (16548)
        200 {"success":true,"data":{"status":"unknown","meNumber":null,"sessionId":16548}} => missing: unknown (16548)
        200 {"success":true,"data":{"status":"unknown","sessionId":null,"qrAvailable":false}} => disconnected idle: unknown
        401 {"error":"Unauthorized"} => refused 401
        504 proxy error => no answer: HTTP 504
    "#,
    );
}

#[test]
fn evolution_is_read_from_memory_and_database() {
    let shop = Route { session: Some("shop"), status_path: None };
    check(
        "evolution",
        shop,
        r#"
        200 {"instance":{"instanceName":"shop","state":"open"}} => connected: open
        200 {"instance":{"instanceName":"shop","state":"connecting"}} => connecting: connecting
        200 {"instance":{"instanceName":"shop","state":"close"}} => disconnected gave_up: close
        200 {"instance":{"instanceName":"shop","state":"refused"}} => disconnected gave_up: refused
        200 {"instance":{"instanceName":"shop"}} => connecting
        200 {"count":0} => connecting
        200 {"error":true,"message":"The \"shop\" instance is not connected"} => unknown: The "shop" instance is not connected
        404 {"status":404,"error":"Not Found","response":{"message":["The \"shop\" instance does not exist"]}} => missing: The "shop" instance does not exist
        401 {"status":401,"error":"Unauthorized","response":{"message":"Unauthorized"}} => refused 401
    "#,
    );
    check(
        "evolution",
        Route { status_path: Some("/instance/fetchInstances"), ..shop },
        r#"
        200 [{"name":"shop","connectionStatus":"open","ownerJid":"15550100@s.whatsapp.net","_count":{"Message":8123}}] => connected: open [messages 8123, owner]
        200 [{"name":"a"},{"name":"shop","connectionStatus":"close","disconnectionReasonCode":401,"disconnectionObject":"{\"tag\":\"conflict\"}"}] => logged_out: close (401)
        200 [{"name":"shop","connectionStatus":"close","disconnectionReasonCode":440}] => conflict: close (440)
        200 [{"name":"shop","connectionStatus":"close","disconnectionReasonCode":403}] => blocked: close (403)
        200 [{"name":"shop","connectionStatus":"close","disconnectionReasonCode":428}] => disconnected gave_up: close (428)
        200 [{"name":"shop","connectionStatus":"connecting","disconnectionReasonCode":440}] => connecting: connecting
        200 [{"instance":{"instanceName":"shop","status":"open","owner":null}}] => connected: open [no owner]
        200 [{"name":"other","connectionStatus":"open"}] => missing: not among the 1 sessions listed
    "#,
    );
}

#[test]
fn wwebjs_api_says_everything_with_200() {
    check(
        "wwebjs-api",
        BARE,
        r#"
        200 {"success":true,"state":"CONNECTED","message":"session_connected"} => connected: session_connected (CONNECTED)
        200 {"success":true,"state":"CONFLICT","message":"session_connected"} => conflict: session_connected (CONFLICT)
        200 {"success":false,"state":"UNPAIRED_IDLE","message":"session_not_connected"} => needs_scan: session_not_connected (UNPAIRED_IDLE)
        200 {"success":false,"state":"OPENING","message":"session_not_connected"} => connecting opening: session_not_connected (OPENING)
        200 {"success":false,"state":"PAIRING","message":"session_not_connected"} => connecting pairing: session_not_connected (PAIRING)
        200 {"success":false,"state":"CONNECTED","message":"session_not_connected"} => connecting linked: session_not_connected (CONNECTED)
        200 {"success":false,"state":null,"message":"session_not_connected"} => connecting: session_not_connected
        200 {"success":false,"state":"DREAMING","message":"session_not_connected"} => unknown: session_not_connected (DREAMING)
        200 {"success":false,"state":"TOS_BLOCK","message":"session_not_connected"} => blocked: session_not_connected (TOS_BLOCK)
        200 {"success":false,"state":null,"message":"session_not_found"} => missing: session_not_found
        200 {"success":false,"state":null,"message":"browser tab closed"} => disconnected: browser tab closed
        200 {"success":false,"state":null,"message":"session closed"} => disconnected: session closed
        200 {"success":false,"state":null,"message":"Protocol error: Target closed."} => disconnected: Protocol error: Target closed.
        200 {"success":true,"message":"pong"} => unknown: pong
    "#,
    );
}

#[test]
fn wppconnect_shows_its_code_in_the_status() {
    check(
        "wppconnect",
        BARE,
        r#"
        200 {"status":"CONNECTED","qrcode":null,"urlcode":"","version":"2.8.1"} => connected: CONNECTED [version 2.8.1]
        200 {"status":"INITIALIZING","qrcode":null,"urlcode":null} => connecting: INITIALIZING
        200 {"status":"PHONECODE"} => needs_scan: PHONECODE
        200 {"status":"CLOSED"} => disconnected gave_up: CLOSED
        200 {"status":"closed"} => disconnected gave_up: closed
        401 {"error":"Check that the Session and Token are correct"} => refused 401
    "#,
    );
    let mark = |body: &str| match read("wppconnect", BARE, 200, body) {
        Reply::Answer(Answer { facts, .. }) => facts.qr,
        other @ (Reply::NoAnswer(_)
        | Reply::Missing(_)
        | Reply::Refused { .. }
        | Reply::Throttled { .. }
        | Reply::Unasked(_)) => {
            panic!("{other:?}")
        }
    };
    let shown =
        |code: &str| mark(&format!(r#"{{"status":"QRCODE","qrcode":"data:image/png;base64,A","urlcode":"{code}"}}"#));
    assert!(shown("2@AAA").is_some() && shown("2@AAA") == shown("2@AAA"));
    assert_ne!(shown("2@AAA"), shown("2@AAB"));
    assert_eq!(mark(r#"{"status":"CONNECTED","qrcode":null,"urlcode":""}"#), None);
}

#[test]
fn go_whatsapp_tells_two_flags_and_a_jid() {
    check(
        "go-whatsapp",
        BARE,
        r#"
        200 {"code":"SUCCESS","results":{"is_connected":true,"is_logged_in":true,"jid":"15550100@s.whatsapp.net"}} => connected [owner]
        200 {"code":"SUCCESS","results":{"is_connected":true,"is_logged_in":false,"jid":""}} => needs_scan [no owner]
        200 {"code":"SUCCESS","results":{"is_connected":false,"is_logged_in":false,"jid":""}} => logged_out [no owner]
        200 {"code":"SUCCESS","results":{"is_connected":false,"is_logged_in":false}} => logged_out
        200 {"code":"SUCCESS","results":{"is_connected":false,"is_logged_in":false,"jid":"15550100@s.whatsapp.net"}} => connecting [owner]
        200 {"code":"SUCCESS","results":{"is_connected":true}} => unknown: SUCCESS
        404 {"status":404,"code":"DEVICE_NOT_FOUND","message":"device not found"} => missing: device not found
        400 {"status":400,"code":"DEVICE_ID_REQUIRED","message":"device_id is required"} => no answer: HTTP 400
        504 {"code":"GATEWAY_TIMEOUT"} => no answer: HTTP 504
    "#,
    );
    check(
        "go-whatsapp",
        Route { session: Some("org_2"), status_path: Some("/devices") },
        r#"
        200 {"code":"SUCCESS","results":[{"id":"org_1","state":"connected"},{"id":"org_2","state":"logged_in"}]} => connected: logged_in
        200 {"code":"SUCCESS","results":[{"id":"org_2","state":"disconnected"}]} => disconnected: disconnected
        200 {"code":"SUCCESS","results":[{"id":"org_1","state":"connected"}]} => missing: not among the 1 sessions listed
    "#,
    );
}

#[test]
fn openwa_tells_a_wanted_stop() {
    check(
        "openwa",
        BARE,
        r#"
        200 {"name":"shop","status":"ready","phone":"15550100","desiredState":"running"} => connected: ready [owner]
        200 {"name":"shop","status":"initializing","phone":null} => connecting: initializing [no owner]
        200 {"name":"shop","status":"authenticating"} => connecting pairing: authenticating
        200 {"name":"shop","status":"qr_ready"} => needs_scan: qr_ready
        200 {"name":"shop","status":"disconnected","desiredState":"running"} => disconnected: disconnected
        200 {"name":"shop","status":"disconnected","desiredState":"stopped"} => disconnected stopped: disconnected
        200 {"name":"shop","status":"failed"} => disconnected gave_up: failed
        200 {"name":"shop","status":"action_required"} => disconnected gave_up: action_required
        200 {"state":"CONNECTED"} => connected: CONNECTED
        200 {"state":"UNPAIRED"} => needs_scan: UNPAIRED
        404 {"message":"Session not found","statusCode":404} => missing: Session not found
    "#,
    );
}

#[test]
fn generic_knows_the_words_of_all() {
    check(
        "generic",
        BARE,
        r#"
        200 {"status":"connected"} => connected: connected
        200 {"status":"ok"} => unknown: ok
        200 {"status":200,"data":{"state":"open"}} => connected: open
        200 {"status":"success","data":{"status":"SCAN_QR_CODE"}} => needs_scan: SCAN_QR_CODE
        200 {"session":{"status":"PAIRING"}} => connecting pairing: PAIRING
        200 {"session":{"name":"shop"},"status":"disconnected"} => disconnected: disconnected
        200 {"connected":false} => connecting
        200 {"connected":true,"state":"CONFLICT"} => conflict: CONFLICT
        200 {"connected":false,"hasQR":true} => needs_scan
        200 {"connected":false,"state":"close","lastDisconnect":{"statusCode":440}} => conflict: close (440)
        200 {"is_connected":true,"is_logged_in":false} => needs_scan
        200 {"state":"expired"} => expired: expired
        200 {"data":{"status":"stopped"}} => disconnected stopped: stopped
        200 {"success":false,"message":"session_not_found"} => missing: session_not_found
        404 {"message":"no such session"} => missing: no such session
    "#,
    );
}
