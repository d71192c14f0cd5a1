// One session of the vendor's client against a lab server; prints what it got as JSON.
// Usage: node session.js TOMCAT_URL FRONT_URL LOGIN   (the password is read from standard input)

const fs = require("fs");
const path = require("path");
const modules = process.env.SDK_MODULES;
const sdk = require(path.join(modules, "@adobe", "acc-js-sdk"));

async function refused(action) {
  try {
    await action();
  } catch (error) {
    return { status: error.statusCode, code: error.errorCode, text: error.message };
  }
  return null;
}

async function main(tomcat, front, login) {
  const password = fs.readFileSync(0, "utf8").trim();
  const found = {};
  const anonymous = await sdk.init(sdk.ConnectionParameters.ofAnonymousUser(front));
  await anonymous.logon();
  found.test = await anonymous.test();

  const options = { representation: "SimpleJson", traceAPICalls: false };
  const as = (who, word) => sdk.init(
    sdk.ConnectionParameters.ofUserAndPassword(tomcat, who, word, options));
  const wrong = await as(login, "wrong");
  found.wrong = await refused(() => wrong.logon());

  const client = await as(login, password);
  await client.NLWS.xtkSession.logon();
  found.session = client.getSessionInfo();
  await client.NLWS.xtkSession.testCnx();
  found.ping = await client.ping();
  found.user = await client.NLWS.xtkSession.getUserInfo();
  found.option = await client.getOption("NmsOperation_LimitConcurrency");
  found.noOption = await client.getOption("LabNoSuchOption");
  found.schema = await client.getSchema("xtk:workflow");
  found.noSchema = await client.getSchema("xtk:nothing");

  const query = (definition) => client.NLWS.xtkQueryDef.create(definition).executeQuery();
  const nodes = (...names) => ({ node: names.map((expr) => ({ expr })) });
  found.select = await query({
    schema: "xtk:workflow", operation: "select",
    select: nodes("@internalName", "@state", "[folder/@name]"),
    where: { condition: [{ expr: "[folder/@name]='nmsTechnicalWorkflow'" }] },
    orderBy: { node: { expr: "@internalName" } },
  });
  found.none = await query({
    schema: "xtk:workflow", operation: "select", select: nodes("@internalName"),
    where: { condition: [{ expr: sdk.escapeXtk`@internalName=${"it's"}` }] },
  });
  found.count = await query({ schema: "nms:recipient", operation: "count" });
  found.get = await query({
    schema: "nms:extAccount", operation: "get", select: nodes("@name", "@active"),
    where: { condition: [{ expr: "@name='defaultPopAccount'" }] },
  });
  found.noGet = await refused(() => query({
    schema: "nms:extAccount", operation: "get", select: nodes("@name"),
    where: { condition: [{ expr: "@name='nothing'" }] },
  }));
  found.getIfExists = await query({
    schema: "nms:extAccount", operation: "getIfExists", select: nodes("@name"),
    where: { condition: [{ expr: "@name='nothing'" }] },
  });
  found.badQuery = await refused(() => query({
    schema: "xtk:workflow", operation: "select", select: nodes("@nothing"),
  }));

  await client.NLWS.xtkWorkflow.start("cleanup");
  await client.NLWS.xtkWorkflow.startWithParameters("cleanup", { hello: "world" });
  await client.NLWS.xtkWorkflow.postEvent("cleanup", "signal", "", { a: "1" }, false);
  found.noWorkflow = await refused(() => client.NLWS.xtkWorkflow.start("nothing"));

  const delivery = await query({
    schema: "nms:delivery", operation: "get", select: nodes("@id", "@state"),
    where: { condition: [{ expr: "@state=0" }] },
  });
  const job = await client.jobInterface({
    xtkschema: "nms:delivery", method: "Prepare", object: delivery });
  found.job = await job.execute();
  found.jobStatus = await job.getStatus();

  await client.NLWS.xtkSession.logoff();
  const expired = await sdk.init(sdk.ConnectionParameters.ofSessionToken(tomcat, "___gone"));
  await expired.logon();
  found.expired = await refused(() => expired.getOption("XtkDatabaseId", false));
  return found;
}

main(...process.argv.slice(2)).then(
  (found) => console.log(JSON.stringify(found, null, 1)),
  (error) => { console.error(error); process.exit(1); });
