"""Starts zohocrmsdk8-0 with the emulator as its data centre, and a login by refresh token."""

import sys
import tempfile
from pathlib import Path

from zohocrmsdk.src.com.zoho.api.authenticator import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore
from zohocrmsdk.src.com.zoho.api.logger import Logger
from zohocrmsdk.src.com.zoho.crm.api import Initializer
from zohocrmsdk.src.com.zoho.crm.api.dc import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.sdk_config import SDKConfig

url, folder = sys.argv[1], tempfile.mkdtemp()
Path(folder, "resources").mkdir()
Initializer.initialize(
    environment=DataCenter.Environment(url, f"{url}/oauth/v2/token", url),
    token=OAuthToken(client_id="1000.ABC", client_secret="s-1", refresh_token="r-1"),
    store=FileStore(file_path=f"{folder}/tokens"),
    sdk_config=SDKConfig(auto_refresh_fields=False, pick_list_validation=False),
    resource_path=folder,
    logger=Logger.get_instance(level=Logger.Levels.ERROR, file_path=f"{folder}/log"),
)
