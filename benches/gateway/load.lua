-- Sends the requests of a file again and again, from one of them on: one line each, `path header value`. Tells the outcome
-- as JSON.
local requests, at = {}, 0

function init(args)
    for line in io.lines(args[1]) do
        local path, name, value = line:match("^(%S+) (%S+) (.+)$")
        requests[#requests + 1] = wrk.format("GET", path, {[name] = value})
    end
    at = tonumber(args[2])
end

function request()
    at = at % #requests + 1
    return requests[at]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "refused": %d, "broken": %d, "median_us": %d, "p99_us": %d}\n',
        summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
